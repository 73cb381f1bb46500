// verify() beside transactions: it cries no wolf, and still finds what is damaged.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Verify : public StoreTest {
 protected:
  struct Mix {
    bool aborts = false;  // of large values: what they lay in is freed at once
    bool large = false;
  };

  // Threads that insert, change and erase, until the object dies.
  class Writers {
   public:
    Writers(Verify& test, Mix mix) : test_(test), mix_(mix) {
      for (std::uint64_t t = 0; t < 2; ++t) {
        const Table where = test.table("written " + std::to_string(t));
        threads_.emplace_back([this, t, where](const std::stop_token& stop) { work(t, where, stop); });
      }
    }
    std::uint64_t done() const { return done_; }

   private:
    void work(std::uint64_t seed, Table where, const std::stop_token& stop) {
      std::uint64_t state = seed + 1;
      const auto random = [&](std::uint64_t below) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return (state >> 33) % below;
      };
      while (!stop.stop_requested()) {
        auto tx = test_.begin();
        for (int i = 0; i < 5; ++i) {
          const std::string key = key_of(random(3000));
          if (random(4) == 0) {
            EXPECT_OK(tx.erase(where, key));
          } else {
            EXPECT_OK(tx.put(where, key, noise(mix_.large && random(50) == 0 ? 30'000 : random(400), done_)));
          }
        }
        if (mix_.aborts && random(3) == 0) {
          EXPECT_OK(tx.abort());
        } else {
          EXPECT_OK(tx.commit());
        }
        ++done_;
      }
    }
    Verify& test_;
    const Mix mix_;
    std::atomic<std::uint64_t> done_{0};
    std::vector<std::jthread> threads_;
  };

  struct Seen {
    std::uint64_t rounds = 0, compared = 0, chains = 0;
  };
  // Until everything that is hoped for was seen.
  Seen verify_beside(Mix mix, const std::function<bool(const Seen&)>& enough) {
    constexpr std::uint64_t rounds_max = 2000, transactions_a_round = 10;
    Seen seen;
    Writers writers(*this, mix);
    while (!enough(seen) && seen.rounds < rounds_max && !HasFailure()) {
      const std::uint64_t before = writers.done();
      auto report = db().verify();
      EXPECT_OK(report);
      if (!report) break;
      for (const VerifyProblem& one : report->problems)
        ADD_FAILURE() << "round " << seen.rounds << ": page " << one.page << " table " << one.table << ": " << one.what;
      ++seen.rounds;
      seen.compared += report->space_compared ? 1 : 0;
      seen.chains += report->chains;
      EXPECT_TRUE(eventually([&] { return writers.done() >= before + transactions_a_round; }));
    }
    return seen;
  }
};

TEST_F(Verify, BesideWritersNothingIsWrong) {
  const Seen seen = verify_beside({.large = true}, [](const Seen& so_far) { return so_far.rounds >= 30 && so_far.chains > 0; });
  EXPECT_EQ(seen.compared, seen.rounds);  // nothing is freed while it looks
  EXPECT_GT(seen.chains, 0u);
  std::printf("%llu rounds, %llu chains\n", static_cast<unsigned long long>(seen.rounds),
              static_cast<unsigned long long>(seen.chains));
}

TEST_F(Verify, BesideAbortsNothingIsWrongEither) {
  const Seen seen = verify_beside({.aborts = true, .large = true}, [](const Seen& so_far) {
    return so_far.rounds >= 30 && so_far.compared > 0 && so_far.compared < so_far.rounds;
  });
  EXPECT_GT(seen.compared, 0u);
  EXPECT_LT(seen.compared, seen.rounds);
  std::printf("%llu rounds, free space compared in %llu\n", static_cast<unsigned long long>(seen.rounds),
              static_cast<unsigned long long>(seen.compared));
}

// A table that is on its way out when verify comes to it must not be gone before it has left.
TEST_F(Verify, BesideDropsNothingIsWrongEither) {
  using namespace std::chrono_literals;
  constexpr int rounds = 200;
  open();
  std::atomic<int> drops{0};
  const std::jthread dropping([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      fill(table("doomed"), 5000, 300);
      ++drops;
      drops.notify_one();
      const auto outcome = db().drop_table("doomed");
      if (!outcome) { EXPECT_CODE(outcome, busy); }
    }
  });
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    drops.wait(drops.load());
    std::this_thread::sleep_for(round % 20 * 200us);
    expect_sound();
  }
}

TEST_F(Verify, BesideWritersDamageIsFound) {
  fill(table("cold"), 3000, 300);
  close();
  constexpr std::uint64_t page = 40;
  {
    std::fstream stream(path() + "/data", std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(page * 8192 + 3000);
    stream.write("damaged!", 8);
    ASSERT_TRUE(stream);
  }
  open();
  {
    const Writers writers(*this, {});
    for (int round = 0; round < 5; ++round) {
      auto report = db().verify();
      ASSERT_OK(report);
      ASSERT_EQ(report->problems.size(), 1u);
      EXPECT_EQ(report->problems[0].page, page);
      EXPECT_EQ(report->problems[0].table, "cold");
    }
  }
  close();
  std::filesystem::remove_all(path());  // the usual verification does not apply
}

TEST_F(Verify, AfterwardsNoTransactionIsLeft) {
  fill(table("t"), 100, 100);
  EXPECT_OK(db().verify());
  EXPECT_TRUE(db().transactions().empty());
  EXPECT_OK(db().drop_table("t"));
}

TEST_F(Verify, ItsWatcherCallsItOff) {
  fill(table("t"), 3000, 300);
  std::uint64_t calls = 0, pages = 0;
  EXPECT_OK(db().verify([&](const VerifyReport& so_far) {
    EXPECT_GT(so_far.pages, pages);
    pages = so_far.pages;
    return ++calls != 0;
  }));
  ASSERT_GT(calls, 100u) << "pages";
  calls = 0;
  EXPECT_CODE(db().verify([&](const VerifyReport&) { return ++calls < 50; }), transaction_aborted);
  EXPECT_EQ(calls, 50u);
  EXPECT_TRUE(db().transactions().empty());
}

// Through the control socket: a job of its own.
class CheckJob : public Verify {
 protected:
  std::string ask(const std::string& request) { return db().answer(R"({"version":1,"request":")" + request + "\"}"); }
  bool comes_to(const std::string& state) {
    return eventually([&] { return ask("check_state").find(R"("state":")" + state + "\"") != std::string::npos; });
  }
};

TEST_F(CheckJob, TellsWhatItCameTo) {
  EXPECT_TRUE(comes_to("none"));
  fill(table("t"), 1000, 100);
  EXPECT_NE(ask("check").find(R"({"number":1})"), std::string::npos);
  EXPECT_TRUE(comes_to("done"));
  const std::string told = ask("check_state");
  EXPECT_NE(told.find("\"sound\":true,"), std::string::npos) << told;
  EXPECT_NE(told.find("\"records\":1000,"), std::string::npos) << told;
  EXPECT_NE(told.find("\"problems\":[]"), std::string::npos) << told;
}

TEST_F(CheckJob, OneAtATimeAndClosingEndsIt) {
  fill(table("t"), scaled(100'000, 20'000), 200);
  bool refused = false;
  for (int number = 0; number < 50 && !refused; ++number) {  // the first one may be over already
    ask("check");
    refused = ask("check").find("\"busy\"") != std::string::npos;
    if (!refused) { EXPECT_TRUE(comes_to("done")); }
  }
  EXPECT_TRUE(refused);
  close();
  open();
  EXPECT_TRUE(comes_to("none"));
}

}  // namespace
}  // namespace plimsoll
