// Commands that live in another library and read their own arguments: everything behind the command's name is handed on as it is.
#pragma once

#include <string>

namespace plimsoll::cli {

class Program;

// `run` gets argv as main does: argv[0] is `name`, and its answer is the exit status (one of Exit's).
void add_forwarded(Program& program, const std::string& name, const std::string& help, int (*run)(int argc, char** argv));

}  // namespace plimsoll::cli
