// Failures: the exit status of every error code, and one line whatever the names in it hold.
#include "failure.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plimsoll::cli {
namespace {

TEST(Failure, exit_statuses_are_those_that_scripts_rely_on) {
  EXPECT_EQ(Failure(Error(ErrorCode::not_found)).exit, Exit{3});
  EXPECT_EQ(Failure(Error(ErrorCode::corruption)).exit, Exit{4});
  EXPECT_EQ(Failure(Error(ErrorCode::busy)).exit, Exit{5});
  EXPECT_EQ(Failure(Error(ErrorCode::invalid_argument)).exit, Exit{2});
  EXPECT_EQ(Failure(Error(ErrorCode::io_error)).exit, Exit{1});
  EXPECT_EQ(Failure(Error(ErrorCode::conflict)).exit, Exit{1});
}

TEST(Failure, context_names_what_was_being_done) {
  const Result<int> error = std::unexpected(Error(ErrorCode::busy, "held by process 7"));
  const Outcome<int> outcome = context(Result<int>(error), "cannot open the store 'x'");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "cannot open the store 'x': busy: held by process 7 (somebody else has it open)");
  EXPECT_EQ(context(Result<int>(5), "nothing"), 5);
  EXPECT_TRUE(context(Result<void>(), "nothing").has_value());
}

TEST(Failure, is_one_line_whatever_it_names) {
  const Failure failure(Exit::failed, "io_error", "no file 'a\nb\x1b[31m'", "look\nagain");
  EXPECT_EQ(failure_line(failure, "load"), "plimsoll load: no file 'a\\nb\\x1b[31m'; hint: look\\nagain");
  EXPECT_EQ(failure_line(failure, ""), "plimsoll: no file 'a\\nb\\x1b[31m'; hint: look\\nagain");
}

TEST(Failure, json_form_has_the_same_facts) {
  const auto json = nlohmann::json::parse(failure_json(Failure(Exit::busy, "busy", "held \xff", "wait"), "get"));
  EXPECT_EQ(json["error"]["command"], "get");
  EXPECT_EQ(json["error"]["code"], "busy");
  EXPECT_EQ(json["error"]["message"], "held \\xff");
  EXPECT_EQ(json["error"]["hint"], "wait");
  EXPECT_EQ(json["error"]["status"], 5);
  EXPECT_FALSE(nlohmann::json::parse(failure_json(Failure(Exit::failed, "x", "y"), "get"))["error"].contains("hint"));
}

}  // namespace
}  // namespace plimsoll::cli
