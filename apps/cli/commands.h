#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace emelex::cli {

class Command;

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kWrongUsage = 2,
  kInterrupted = 130,  // as a shell reports a program that Ctrl-C ended: what it wrote is incomplete
};

// Flags that are each right and together make no sense. Ends in kWrongUsage.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the chosen subcommand will do once all flags are parsed. Returns the exit code.
using Action = std::function<int()>;

// Each adds one subcommand, which sets `action` when it is the chosen one. `action` must outlive the parsing.
void add_run_command(Command& program, Action& action);
void add_bench_command(Command& program, Action& action);
void add_tokenize_command(Command& program, Action& action);
void add_detokenize_command(Command& program, Action& action);
void add_template_command(Command& program, Action& action);
void add_eval_command(Command& program, Action& action);
void add_quantize_command(Command& program, Action& action);
void add_import_command(Command& program, Action& action);
void add_pull_command(Command& program, Action& action);
void add_keep_commands(Command& program, Action& action);  // rm, verify, gc, default
void add_config_command(Command& program, Action& action);
void add_list_command(Command& program, Action& action);
void add_show_command(Command& program, Action& action);

}  // namespace emelex::cli
