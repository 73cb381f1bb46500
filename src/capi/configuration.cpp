// Options from a file.
#include "capi/call.hpp"
#include "capi/options.hpp"
#include "capi/sized.hpp"
#include "plimsoll/config.hpp"

namespace plimsoll::capi {

extern "C" {

plimsoll_status plimsoll_read_options(const char* path, plimsoll_options* options, plimsoll_txn_options* transactions,
                                      plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(path, "path"));
    PLIMSOLL_TRY(check_size(options, "options"));
    if (transactions != nullptr) PLIMSOLL_TRY(check_size(transactions, "transactions"));
    Configuration all;
    Configuration::Done done = all.read_file(path);
    if (done) done = all.check();
    if (!done) return std::unexpected(to_error(done.error()));
    write_sized(options, from_options(all.options()));
    if (transactions != nullptr) write_sized(transactions, from_options(all.transaction_options()));
    return {};
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
