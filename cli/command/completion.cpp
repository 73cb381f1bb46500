// plimsoll completion: what bash, zsh or fish need to complete the command lines of this program.
#include <nlohmann/json.hpp>

#include "base/fail.hpp"
#include "choice.hpp"
#include "command/commands.hpp"
#include "completion/scripts.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

using Script = std::string (*)(const CommandSyntax& program);

constexpr std::array<Choice<Script>, 3> scripts{{{"bash", bash_completion}, {"zsh", zsh_completion}, {"fish", fish_completion}}};
constexpr std::span<const Choice<Script>> all_scripts(scripts);

Outcome<Exit> run(const CLI::App& app, const std::string& shell, Output& output) {
  PLIMSOLL_ASSIGN(const Script script, choose(all_scripts, shell, "SHELL"));
  const std::string text = script(syntax_of(app));
  if (output.json()) {
    output.object({{"shell", shell}, {"script", text}});
  } else {
    output.write(text);
  }
  return Exit::done;
}

}  // namespace

void add_completion(Program& program) {
  auto* command = program.app().add_subcommand("completion", "Print the completions of a command line shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "The shell that reads them")->required()->type_name(words_of(all_scripts));
  program.runs(*command, [&program, shell](Output& output) { return run(program.app(), *shell, output); });
}

}  // namespace plimsoll::cli
