// The command line: parses flags, runs one subcommand, and turns every failure into one line and an exit code.

#include <CLI/CLI.hpp>
#include <new>

#include "base/strings.h"
#include "cli/commands.h"
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

// "emelex run", or "emelex" when no subcommand was reached.
std::string command_name(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "emelex" : "emelex " + chosen.back()->get_name();
}

int wrong_usage(const CLI::App& app, const std::string& message) {
  report_error(str_cat(message, "; '", command_name(app), " --help' shows the usage"));
  return kWrongUsage;
}

int run_main(int argc, char** argv) {
  CLI::App app("Runs language models on MLX.", "emelex");
  app.require_subcommand(1);  // and no more: a prompt may be the name of a subcommand
  bool version = false;
  app.add_flag("--version", version, "Show the version, MLX's version, devices and instruction set");
  Action action;
  add_run_command(app, action);
  add_bench_command(app, action);
  add_tokenize_command(app, action);
  add_detokenize_command(app, action);
  add_template_command(app, action);
  add_eval_command(app, action);
  add_quantize_command(app, action);
  add_import_command(app, action);
  add_pull_command(app, action);
  add_list_command(app, action);
  add_show_command(app, action);
  add_keep_commands(app, action);
  add_config_command(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    standard_output().write(app.help());
    return kDone;
  } catch (const CLI::ParseError& error) {
    if (!version) return wrong_usage(app, error.what());
  }
  if (version) {
    standard_output().write(version_text());
    return kDone;
  }
  try {
    return action();
  } catch (const UsageError& error) {
    return wrong_usage(app, error.what());
  }
}

// Nothing gets past this: whatever goes wrong is one line on stderr.
int guarded_main(int argc, char** argv) {
  try {
    guard_standard_streams();
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

int main(int argc, char** argv) { return emelex::cli::guarded_main(argc, argv); }
