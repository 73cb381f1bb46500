// What a store reports about itself, as JSON: the one place that names the fields that `stat --json`, the control socket and the C
// API hand out. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "db/job.hpp"
#include "plimsoll/backup.hpp"
#include "plimsoll/stats.hpp"

namespace plimsoll::db {

nlohmann::ordered_json as_json(const Statistics& statistics, const std::vector<ContextInfo>& contexts,
                               const RecoveryReport& recovery);
// The unit and the meaning of every counter and gauge, by name.
nlohmann::ordered_json explained(const Statistics& statistics);
nlohmann::ordered_json as_json(const std::vector<TransactionInfo>& transactions);
nlohmann::ordered_json as_json(const std::vector<WaitEdge>& waits);
nlohmann::ordered_json as_json(const VerifyReport& report);
nlohmann::ordered_json as_json(const Job<BackupReport>::State& backup);
nlohmann::ordered_json as_json(const Job<VerifyReport>::State& check);
nlohmann::ordered_json as_json(const Job<CompactReport>::State& compaction);

}  // namespace plimsoll::db
