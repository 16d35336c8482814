// emelex eval: how well a model predicts a text.

#include <limits>
#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/eval_report.h"
#include "cli/format.h"
#include "cli/input.h"
#include "cli/model.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signal.h"
#include "config/configuration.h"
#include "emelex/hub.h"

namespace emelex::cli {
namespace {

struct EvalFlags {
  std::string model;
  std::string against;
  std::string against_kernels;
  std::string file;
  bool json = false;
  RuntimeFlags runtime;
  EvaluateOptions options;
};

std::string time_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return whole < 60 ? str_cat(whole, " s") : str_cat(whole / 60, " min ", whole % 60, " s");
}

EvaluateOptions options_of(const EvalFlags& flags, const Settings& settings) {
  EvaluateOptions options = flags.options;
  if (!flags.against.empty()) options.against = model_to_run(flags.against, settings);
  options.against_kernels = kernels_named(flags.against_kernels);
  options.load = flags.runtime.load_options(settings);
  options.cancel = &interrupt_flag();
  return options;
}

int eval(const EvalFlags& flags) {
  watch_interrupts();
  const Settings settings = read_configuration(flags.runtime.settings).settings;
  const std::filesystem::path model = model_to_run(flags.model, settings);
  const EvaluateOptions options = options_of(flags, settings);
  const std::string text = flags.file.empty() ? read_stdin() : read_text_file(flags.file);
  StatusLine line;
  const EvaluateReport report = evaluate(model, text, options, [&line](const EvaluateProgress& progress) {
    line.show(str_cat("chunk ", progress.chunk, " of ", progress.chunks, ", perplexity ", fixed(progress.perplexity, 4),
                      ", ", time_text(progress.seconds_left), " left"));
  });
  line.clear();
  if (flags.json) {
    standard_output().write(eval_json(report));
  } else if (report.chunks > 0) {
    standard_output().write(eval_text(report));
  }
  if (!report.cancelled) return kDone;
  report_note(str_cat("interrupted after ", report.chunks, " of ", report.chunks_wanted, " chunks"));
  return kInterrupted;
}

}  // namespace

void add_eval_command(Command& program, Action& action) {
  constexpr double kMax = std::numeric_limits<int>::max();
  Command command =
      program.add_subcommand("eval", "Measure how well a model predicts a text: perplexity, KL divergence");
  const auto flags = std::make_shared<EvalFlags>();
  command.add_option("MODEL", flags->model, kModelHelp);
  command.add_option("-f,--file", flags->file, "The text; without it stdin is read");
  command.add_option("--against", flags->against, "A model with the same vocabulary to compare with, as an original");
  command.add_option("--against-kernels", flags->against_kernels, "Its kernels; without --against the same model's")
      .check(kernel_names());
  command.add_option("--context", flags->options.context, "Tokens in a chunk; predictions in its second half count")
      .check(number_within(4, kMax))
      .show_default();
  command.add_option("--chunks", flags->options.chunks, "Measure so many chunks at most; 0: all")
      .check(number_within(0, kMax))
      .show_default();
  add_runtime_flags(command, flags->runtime);
  command.add_flag("--json", flags->json, "Print one JSON object");
  command.when_chosen([flags, &action] { action = [flags] { return eval(*flags); }; });
}

}  // namespace emelex::cli
