// emelex import: gives a model file a name.

#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signal.h"
#include "config/configuration.h"
#include "emelex/hub.h"
#include "tools/check_model.h"

namespace emelex::cli {
namespace {

struct ImportFlags {
  std::string path;
  ImportOptions options;
};

int import(const ImportFlags& flags) {
  watch_interrupts();
  ImportOptions options = flags.options;
  options.cancel = &interrupt_flag();
  const ModelRegistry registry = open_registry(read_configuration().settings);
  InstalledModel model = registry.import_file(flags.path, options);
  registry.check_runs(model, check_model);
  standard_output().write(model.name + "\n");
  const bool runs = model.refused.empty();
  report_note(str_cat(flags.options.copy ? "copied " : "registered ", human_bytes(model.size),
                      runs ? str_cat("; try it: emelex run ", model.name) : ""));
  if (!runs) report_warning(str_cat("'", model.name, "' can't be run: ", model.refused));
  return kDone;
}

}  // namespace

void add_import_command(Command& program, Action& action) {
  Command command = program.add_subcommand("import", "Give a model file a name; prints the name");
  const auto flags = std::make_shared<ImportFlags>();
  command.add_option("PATH", flags->path, "A .gguf file, or a folder of SafeTensors").required();
  command.add_option("--name", flags->options.name, "Its name [made from the file's name]");
  command.add_flag("--copy", flags->options.copy, "Copy the file instead of using it in place");
  command.when_chosen([flags, &action] { action = [flags] { return import(*flags); }; });
}

}  // namespace emelex::cli
