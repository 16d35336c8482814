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
  const InstalledModel model = open_registry(read_configuration().settings).import_file(flags.path, options);
  standard_output().write(model.name + "\n");
  report_note(str_cat(flags.options.copy ? "copied " : "registered ", human_bytes(model.size), "; try it: emelex run ",
                      model.name));
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
