// emelex bench: how fast a model runs.

#include "tools/bench.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "cli/bench_table.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/requests_table.h"
#include "config/configuration.h"
#include "emelex/hub.h"

namespace emelex::cli {
namespace {

struct BenchFlags {
  std::string model;
  std::string format = "md";
  RuntimeFlags runtime;
  BenchOptions options;
  RequestsOptions requests{.requests = 0};
};

// How the engine does with many requests at once.
int bench_many(const BenchFlags& flags, const Settings& settings) {
  RequestsOptions options = flags.requests;
  if (flags.format == "csv") throw UsageError("expected md or json in -o with --requests, got csv");
  if (flags.options.prompt.size() != 1 || flags.options.generate.size() != 1) {
    throw UsageError("expected one length in -p and one in -n with --requests");
  }
  options.prompt = flags.options.prompt.front();
  options.generate = flags.options.generate.front();
  if (options.prompt == 0 || options.generate == 0) throw UsageError("expected 1 or more in -p and -n with --requests");
  options.load = flags.runtime.load_options(settings);
  const BenchProgress progress = stderr_is_terminal() ? BenchProgress(report_note) : nullptr;
  const RequestsReport report = bench_requests(model_to_run(flags.model, settings), options, progress);
  report_not_cuda(report.model);
  const BuildInfo build = build_info();
  standard_output().write(flags.format == "json" ? requests_json(report, build) : requests_markdown(report, build));
  return kDone;
}

int bench(const BenchFlags& flags) {
  const Settings settings = read_configuration(flags.runtime.settings).settings;
  if (flags.requests.requests > 0) return bench_many(flags, settings);
  BenchOptions options = flags.options;
  options.load = flags.runtime.load_options(settings);
  // As a flag, 0 says that there is no such test.
  std::erase(options.prompt, 0);
  std::erase(options.generate, 0);
  if (options.prompt.empty() && options.generate.empty()) throw UsageError("expected something to measure in -p or -n");

  const BenchProgress progress = stderr_is_terminal() ? BenchProgress(report_note) : nullptr;
  const BenchReport report = run_bench(model_to_run(flags.model, settings), options, progress);
  report_not_cuda(report.model);
  const BuildInfo build = build_info();
  standard_output().write(flags.format == "json"  ? bench_json(report, build)
                          : flags.format == "csv" ? bench_csv(report, build)
                                                  : bench_markdown(report, build));
  return kDone;
}

}  // namespace

void add_bench_command(Command& program, Action& action) {
  constexpr double kMax = std::numeric_limits<int>::max();
  Command command = program.add_subcommand("bench", "Measure how fast a model runs");
  const auto flags = std::make_shared<BenchFlags>();
  command.add_option("MODEL", flags->model, kModelHelp);
  const auto add_lengths = [&command](const char* names, std::vector<int>& lengths, const char* help) {
    command.add_option(names, lengths, help).separated_by_commas().check(number_within(0, kMax)).show_default();
  };
  add_lengths("-p,--prompt", flags->options.prompt, "Tokens of a prompt to compute; several with commas, 0: none");
  add_lengths("-n,--generate", flags->options.generate, "Tokens to generate; several with commas, 0: none");
  command.add_option("-d,--depth", flags->options.depth, "Tokens in the cache before the clock starts")
      .check(number_within(0, kMax))
      .show_default();
  command.add_option("-b,--batch", flags->options.batch, "Sequences generated together")
      .check(number_within(1, kMax))
      .show_default();
  command.add_option("-r,--repetitions", flags->options.repetitions, "Timed runs of each test")
      .check(number_within(1, kMax))
      .show_default();
  command.add_flag("--probe", flags->options.probe,
                   "Measure between generated tokens how fast memory gives the weights; their time does not count");
  command
      .add_option("--requests", flags->requests.requests,
                  "Measure this many requests at once instead; lengths vary around -p and -n")
      .check(number_within(1, 1000000));
  command
      .add_option("--rate", flags->requests.rate,
                  "With --requests: how many arrive in a second, at random; 0: all at once")
      .check(number_within(0, 1000000))
      .show_default();
  command
      .add_option("--clients", flags->requests.clients,
                  "With --requests: clients that ask again when they are answered; 0: none")
      .check(number_within(0, 100000))
      .show_default();
  command.add_option("--shared-prefix", flags->requests.shared, "With --requests: tokens that all prompts begin with")
      .check(number_within(0, kMax / 2))
      .show_default();
  command.add_option("-o,--output", flags->format, "Form of the report")
      .check(Check::one_of({"md", "json", "csv"}))
      .show_default();
  add_runtime_flags(command, flags->runtime);
  command.when_chosen([flags, &action] { action = [flags] { return bench(*flags); }; });
}

}  // namespace emelex::cli
