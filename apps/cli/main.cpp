// The command line: parses flags, runs one subcommand, and turns every failure into one line and an exit code.

#include <new>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signal.h"
#include "emelex/engine.h"

namespace emelex::cli {
namespace {

std::string version_text() {
  const BuildInfo build = build_info();
  std::string devices;
  for (const std::string& device : build.devices) devices += (devices.empty() ? "" : ", ") + device;
  return str_cat("emelex ", build.version, "\nMLX ", build.mlx_version, "\ndevices: ", devices,
                 "\ninstruction set: ", build.instruction_set, "\n");
}

int wrong_usage(const CommandLine& arguments, const std::string& message) {
  report_error(str_cat(message, "; '", arguments.chosen_command(), " --help' shows the usage"));
  return kWrongUsage;
}

int run_main(int argc, char** argv) {
  CommandLine arguments("Runs language models on MLX.", "emelex");
  Command& program = arguments.root();
  program.require_subcommand(1, 1);  // and no more: a prompt may be the name of a subcommand
  bool version = false;
  program.add_flag("--version", version, "Show the version, MLX's version, devices and instruction set");
  Action action;
  add_run_command(program, action);
  add_bench_command(program, action);
  add_tokenize_command(program, action);
  add_detokenize_command(program, action);
  add_template_command(program, action);
  add_eval_command(program, action);
  add_quantize_command(program, action);
  add_import_command(program, action);
  add_pull_command(program, action);
  add_list_command(program, action);
  add_show_command(program, action);
  add_keep_commands(program, action);
  add_config_command(program, action);
  const std::string problem = arguments.parse(argc, argv);
  if (arguments.wants_help()) {
    standard_output().write(arguments.help());
    return kDone;
  }
  if (version) {
    standard_output().write(version_text());
    return kDone;
  }
  if (!problem.empty()) return wrong_usage(arguments, problem);
  try {
    return action();
  } catch (const UsageError& error) {
    return wrong_usage(arguments, error.what());
  }
}

// Nothing gets past this: whatever goes wrong is one line on stderr.
int guarded_main(int argc, char** argv) {
  try {
    guard_standard_streams();
    limit_file_modes();
    ignore_broken_pipes();
    return run_main(argc, argv);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) return kInterrupted;
    report_error(error);
  } catch (const std::bad_alloc&) {
    report_error("out of memory; use a smaller model or --context");
  } catch (const std::exception& error) {
    report_error(str_cat("unexpected: ", error.what(), "; this is a bug in emelex, please report it"));
  }
  return kFailed;
}

}  // namespace
}  // namespace emelex::cli

int main(int argc, char** argv) {
  const int code = emelex::cli::guarded_main(argc, argv);
  emelex::cli::end_by_signal();
  return code;
}
