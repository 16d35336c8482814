// emelex pull: fetches a model from Hugging Face, or a hub like it.

#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "config/configuration.h"

namespace emelex::cli {
namespace {

struct PullFlags {
  std::string what;
  double part_megabytes = 16;
  PullOptions options;
};

int pull(const PullFlags& flags) {
  PullOptions options = flags.options;
  options.part_bytes = static_cast<int64_t>(flags.part_megabytes * 1'000'000);
  try {
    const InstalledModel model = pull_model(flags.what, options, read_configuration().settings);
    standard_output().write(model.name + "\n");
    report_note(str_cat(human_bytes(model.size), " in ", model.folder.string(), "; try it: emelex run ", model.name));
    return kDone;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled) throw;
    report_note("interrupted; the same command goes on from here");
    return kInterrupted;
  }
}

}  // namespace

void add_pull_command(Command& program, Action& action) {
  Command command = program.add_subcommand("pull", "Fetch a model from Hugging Face; prints its name");
  const auto flags = std::make_shared<PullFlags>();
  PullOptions& options = flags->options;
  command
      .add_option("MODEL", flags->what,
                  "org/name, org/name:QUANT (Q4_K_M where there are several), or an alias such as llama3.2:1b")
      .required();
  command.add_option("--revision", options.revision, "Branch, tag or commit").show_default();
  command.add_option("--name", options.name, "Its name here [the repository's, with the quantization]");
  command.add_option("--include", options.include, "Fetch the files that fit this pattern, such as '*Q6_K*'");
  command.add_flag("--offline", options.offline, "Use no network: succeed only if it is here");
  command.add_flag("--verify", options.verify, "Read what is here already, and fetch again what is damaged");
  command.add_option("--connections", options.connections, "How many at once, at most")
      .check(number_within(1, 64))
      .show_default();
  command.add_option("--part-size", flags->part_megabytes, "What a connection asks for at a time, in MB")
      .check(number_within(0.001, 100'000))
      .show_default();
  command.add_option("--stall", options.stall_seconds, "Give a connection up after so many seconds without a byte")
      .check(number_within(1, 3600))
      .show_default();
  command.add_option("--tries", options.tries, "Give up after so many failures in a row")
      .check(number_within(1, 1000))
      .show_default();
  command.add_option("--retry-wait", options.retry_seconds, "Seconds before the second try; doubles with each")
      .check(number_within(0, 600))
      .show_default();
  command.when_chosen([flags, &action] { action = [flags] { return pull(*flags); }; });
}

}  // namespace emelex::cli
