// plimsoll page: one page of a store's files, explained: its header, what is on it, and what is wrong with it.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  std::string path;
  std::string file = "data";
  std::uint64_t page = 0;
  Notation notation;
};

constexpr std::size_t shown_bytes_max = 64;  // of a key or value, for people

std::string shown(Bytes bytes, const Notation& notation) {
  if (bytes.size() <= shown_bytes_max) return notation.encode(bytes);
  return fmt::format("{}... ({} bytes)", notation.encode(bytes.substr(0, shown_bytes_max)), bytes.size());
}

std::string bound(const std::optional<std::string>& fence, const Notation& notation) {
  return fence ? "'" + shown(*fence, notation) + "'" : "none";
}

void show_item(const PageItem& item, const Arguments& arguments, Output& output) {
  if (output.json()) {
    output.object({{"offset", item.offset},
                   {"key", arguments.notation.encode(item.key)},
                   {"value", arguments.notation.encode(item.value)},
                   {"summary", item.summary}});
  } else {
    output.line(fmt::format("{}\t{}\t{}\t{}", item.offset, shown(item.key, arguments.notation),
                            shown(item.value, arguments.notation), item.summary));
  }
}

void show_page(const PageDescription& page, const Arguments& arguments, Output& output) {
  if (output.json()) {
    const auto fence = [&](const std::optional<std::string>& bytes) {
      return bytes ? ordered_json(arguments.notation.encode(*bytes)) : ordered_json(nullptr);
    };
    return output.object({{"file", page.file},
                          {"page", page.page},
                          {"state", page.state},
                          {"key", page.key},
                          {"lsn", page.lsn.value},
                          {"kind", page.kind},
                          {"level", page.level},
                          {"tree", page.tree.value},
                          {"items", page.items},
                          {"lower_fence", fence(page.lower_fence)},
                          {"upper_fence", fence(page.upper_fence)},
                          {"problems", page.problems}});
  }
  const bool readable = page.state == "good" || page.state == "misplaced";
  output.line(fmt::format(
      "page {} of {}: {}{}", page.page, page.file, page.state,
      readable ? fmt::format(", {}, key {:#x}, LSN {}, {} items", page.kind, page.key, page.lsn.value, page.items) : ""));
  if (page.kind == "leaf" || page.kind == "inner node")
    output.line(fmt::format("tree {}, level {}, keys from {} to {}", page.tree.value, page.level,
                            bound(page.lower_fence, arguments.notation), bound(page.upper_fence, arguments.notation)));
  for (const std::string& problem : page.problems) output.line("problem: " + escape_control(problem));
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  const auto each = [&](const PageItem& item) {
    show_item(item, arguments, output);
    return !output.failed();
  };
  PLIMSOLL_ASSIGN(const auto page, context(describe_page(arguments.path, arguments.file, arguments.page, each),
                                           fmt::format("cannot read page {} of '{}'", arguments.page, arguments.path)));
  show_page(page, arguments, output);
  if (page.problems.empty() && (page.state == "good" || page.state == "never written")) return Exit::done;
  PLIMSOLL_TRY(output.finish());
  return std::unexpected(Failure(Exit::corruption, "corruption",
                                 fmt::format("page {} of '{}/{}' is not sound", arguments.page, arguments.path, arguments.file),
                                 "`plimsoll check` examines the whole store"));
}

}  // namespace

void add_page(Program& program) {
  auto* command = program.app().add_subcommand("page", "Explain one page as it lies on disk; exit status 4 if it is damaged");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("STORE", arguments->path, "Folder of the store")->required();
  command->add_option("PAGE", arguments->page, "Number of the page, from 0")->required();
  command->add_option("--file", arguments->file, "File of the store: data, or versions.NNNN (default data)")->type_name("NAME");
  arguments->notation.add(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
