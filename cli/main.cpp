// Entry point of the command line program.
#include <csignal>

#include "command/commands.hpp"
#include "program.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe must not end the process while a store is open: it is an error of write instead
  plimsoll::cli::Program program;
  plimsoll::cli::add_commands(program);
  return program.run(argc, argv);
}
