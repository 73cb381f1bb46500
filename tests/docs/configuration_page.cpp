// Prints docs/configuration.md from the table of options: `make docs` writes the page with it, and a test compares the page in the
// tree with what it prints.
#include <cstdio>
#include <string>
#include <string_view>

#include "config/environment.hpp"
#include "plimsoll/config.hpp"

namespace plimsoll {
namespace {

constexpr std::string_view introduction =
    R"(# Configuration

Written by `make docs` from the table of options in `src/config/table.cpp`; do not edit.

Every option has one name. It is the key in a file, and from it come the environment variable and the flag: `memory_budget`,
`PLIMSOLL_MEMORY_BUDGET`, `--memory-budget`. In C++ it is a field of `Options` ([options.hpp](../include/plimsoll/options.hpp)).

## A file

TOML with nothing but options, none of them in a table:

```toml
memory_budget = "1GiB"
lock_deadline = "250ms"
io_backend = "plain"
max_transactions = 512
control_socket = false
```

| kind | in a file | in a variable or flag |
|---|---|---|
| size | a string, `"64MiB"`, or a number of bytes | `64MiB`, `67108864` |
| duration | a string, `"250ms"`; of the numbers, which have no unit, only `0` | `250ms`, `0` |
| count | a number | `512` |
| boolean | `true`, `false` | `true`, `false`; as a flag `--x` or `--no-x` |
| choice | a string | the word |

Sizes: `KiB MiB GiB TiB` are powers of 1024, `kB MB GB TB` powers of 1000, `B` bytes. Durations: `ms s m h`, and whole milliseconds in `us`
or `ns`. Both may have a decimal point.

What is wrong is refused in one line, `FILE:LINE: reason`: a key that is no option (with the nearest that is one), a wrong type, a value
outside of its range, a key that is there twice, what is no TOML, a file of more than 64 KiB, a line of more than 1 KiB. `plimsoll config
check FILE` says whether a file is right; its exit status is 2 if it is not.

## Who is asked

From weak to strong, in every command that opens a store:

1. the default;
2. one file: that of `--config FILE`, else that of the variable `PLIMSOLL_CONFIG`, else `$XDG_CONFIG_HOME/plimsoll/plimsoll.toml` or, without
   that variable, `~/.config/plimsoll/plimsoll.toml`, if it is there. With an empty `PLIMSOLL_CONFIG` no file is read. The folder of a store
   holds no configuration: what belongs to a store, its page size for one, is in the store.
3. the environment. An empty variable counts as none. One that begins with `PLIMSOLL_` and is not known is an error, with the nearest that is;
4. flags.

`plimsoll config show` prints each option, its value and where it comes from; `plimsoll config show STORE` prints what was decided when
that store was created.

Commands differ from other programs in this: those that only read create nothing, whatever the options say, and read one snapshot; a
transaction has no deadline unless `transaction_deadline` was chosen; the store always has its background threads. The shell waits 200 ms
for a lock, because its transactions may wait for each other. `plimsoll bench` and `plimsoll stress` have options of their own, so that a
measurement does not depend on who makes it.

## In a program

`Database::open` looks at its `Options` and nothing else. [config.hpp](../include/plimsoll/config.hpp) has `read_options(path)` for a file and
`Configuration` for all of the above; in C it is `plimsoll_read_options` ([c-api.md](c-api.md)).
)";

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_options(std::string_view title, std::string_view note, OptionUse use) {
  print("\n### " + std::string(title) + "\n\n" + std::string(note) +
        "\n\n| option | kind | default | allowed | meaning |\n|---|---|---|---|---|\n");
  static constexpr std::string_view kinds[] = {"size", "duration", "count", "boolean", "choice"};
  for (const OptionFacts& option : option_table()) {
    if (option.use != use || option.kind == OptionKind::program) continue;
    std::string allowed = allowed_values(option);
    for (std::size_t at = 0; (at = allowed.find('|', at)) != std::string::npos; at += 2) allowed.replace(at, 1, ", ");
    print("| `" + std::string(option.name) + "` | " + std::string(kinds[static_cast<std::size_t>(option.kind)]) + " | `" +
          Configuration().text(option.name) + "` | " + allowed + " | " + std::string(option.help) + " |\n");
  }
}

void print_page() {
  print(introduction);
  print("\n## The options\n");
  print_options("While a store is open", "Flags of every command that opens a store.", OptionUse::opening);
  print_options(
      "When a store is created",
      "Flags of the commands that create one. `create_if_missing` is `--create` there. The sizes stay as they were decided.",
      OptionUse::creation);
  print_options("Of transactions",
                "Flags of the commands that write. A program may choose anew for each transaction (`TransactionOptions`).",
                OptionUse::transaction);
  print_options("For programs", "No flags: of no use to a command.", OptionUse::embedding);
  print("\n### In no file\n\nOnly a program can set these.\n\n| field | what it is |\n|---|---|\n");
  for (const OptionFacts& option : option_table()) {
    if (option.kind == OptionKind::program) print("| `" + std::string(option.name) + "` | " + std::string(option.help) + " |\n");
  }
  print("\n## Variables that are no options\n\nThese may be in the environment as well.\n\n| variable | what it is |\n|---|---|\n");
  for (const config::OtherVariable& other : config::other_variables())
    print("| `" + std::string(other.name) + "` | " + std::string(other.meaning) + " |\n");
}

}  // namespace
}  // namespace plimsoll

int main() {
  plimsoll::print_page();
  return std::fflush(stdout) == 0 ? 0 : 1;
}
