#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace CLI {
class App;
}

namespace emelex::cli {

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

// Each adds one subcommand, which sets `action` when it is the chosen one. `action` must outlive `app`.
void add_run_command(CLI::App& app, Action& action);
void add_bench_command(CLI::App& app, Action& action);
void add_tokenize_command(CLI::App& app, Action& action);
void add_detokenize_command(CLI::App& app, Action& action);
void add_template_command(CLI::App& app, Action& action);
void add_eval_command(CLI::App& app, Action& action);
void add_quantize_command(CLI::App& app, Action& action);
void add_import_command(CLI::App& app, Action& action);
void add_pull_command(CLI::App& app, Action& action);
void add_keep_commands(CLI::App& app, Action& action);  // rm, verify, gc, default
void add_config_command(CLI::App& app, Action& action);
void add_list_command(CLI::App& app, Action& action);
void add_show_command(CLI::App& app, Action& action);

}  // namespace emelex::cli
