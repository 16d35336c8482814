// emelex rm, verify, gc, default: what keeps the models on this computer in order.

#include <memory>

#include "base/json_document.h"
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

using Json = JsonDocument;

struct KeepFlags {
  std::vector<std::string> models;
  bool json = false;
  bool deep = false;
};

void write_json(const Json& json) { standard_output().write(ascii_escapes(json.text(2)) + "\n"); }

int remove(const KeepFlags& flags) {
  const ModelRegistry registry = open_registry(read_configuration().settings);
  Json removed = Json::array();
  for (const std::string& name : flags.models) {
    const RemovedModel model = registry.remove(name);
    removed.push_back({{"name", model.name}, {"bytes", model.bytes}});
    if (!flags.json) report_note(str_cat("removed ", model.name, ", freed ", human_bytes(model.bytes)));
  }
  if (flags.json) write_json(removed);
  return kDone;
}

int verify(const KeepFlags& flags) {
  watch_interrupts();
  const ModelRegistry registry = open_registry(read_configuration().settings);
  std::vector<InstalledModel> models;
  for (const std::string& name : flags.models) models.push_back(registry.find(name));
  bool good = true;
  if (flags.models.empty()) {
    models = registry.list([&good](const std::string& warning) {
      report_warning(warning);
      good = false;
    });
  }
  Json results = Json::array();
  for (InstalledModel& model : models) {
    VerifyReport report = registry.verify(model, {flags.deep, &interrupt_flag()});
    if (report.problems.empty()) {
      registry.check_runs(model, check_model, true);
      if (!model.refused.empty())
        report.problems.push_back(str_cat("its files are as they were, and can't be run: ", model.refused));
    }
    Json result = {{"name", model.name}, {"bytes", report.bytes}, {"problems", report.problems}};
    if (flags.deep) result.set("tensors", report.tensors);
    results.push_back(std::move(result));
    for (const std::string& problem : report.problems) report_error(str_cat(model.name, ": ", problem));
    if (!report.problems.empty()) good = false;
    if (!flags.json && report.problems.empty()) {
      const std::string tensors = flags.deep ? str_cat(", numbers in all ", report.tensors, " tensors") : "";
      standard_output().write(str_cat(model.name, ": ", human_bytes(report.bytes), " as they were", tensors, "\n"));
    }
  }
  if (flags.json) write_json(results);
  if (!good && !flags.json) report_note("'emelex pull --verify MODEL' mends what was pulled; import others again");
  return good ? kDone : kFailed;
}

int collect_garbage(const KeepFlags& flags) {
  const GarbageReport report = open_registry(read_configuration().settings).collect_garbage();
  if (flags.json) {
    write_json({{"removed", report.removed}, {"bytes", report.bytes}, {"busy", report.busy}});
    return kDone;
  }
  for (const std::string& what : report.removed) standard_output().write(str_cat("removed ", one_line(what), "\n"));
  for (const std::string& what : report.busy) report_note(str_cat(what, " is being pulled; left alone"));
  report_note(str_cat("freed ", human_bytes(report.bytes)));
  return kDone;
}

int choose_default(const KeepFlags& flags) {
  const Configuration configuration = read_configuration();
  const Settings& settings = configuration.settings;
  const ModelRegistry registry = open_registry(settings);
  if (!flags.models.empty()) {
    registry.set_default_model(flags.models.front());
    if (!settings.model.empty() && settings.model != registry.default_model()) {
      report_warning(str_cat(configuration.origin("model").where, " says '", settings.model, "', which comes first"));
    }
  }
  const std::string name = default_model(settings);
  if (name.empty())
    throw Error(ErrorCode::not_found, "[hub] no default model is chosen; 'emelex default MODEL' does that");
  standard_output().write(name + "\n");
  return kDone;
}

Command add_command(Command& program, Action& action, const char* name, const char* what,
                    const std::shared_ptr<KeepFlags>& flags, int (*run)(const KeepFlags&)) {
  Command command = program.add_subcommand(name, what);
  command.when_chosen([flags, run, &action] { action = [flags, run] { return run(*flags); }; });
  return command;
}

}  // namespace

void add_keep_commands(Command& program, Action& action) {
  const auto flags = std::make_shared<KeepFlags>();
  Command rm = add_command(program, action, "rm", "Remove models and what only they use of the disk", flags, &remove);
  rm.add_option("MODEL", flags->models, "Names that 'emelex list' shows").required();
  Command check = add_command(program, action, "verify", "Compare models with their SHA-256", flags, &verify);
  check.add_flag("--deep", flags->deep, "Look into every tensor as well: a value that is no number is damage");
  check.add_option("MODEL", flags->models, "Names that 'emelex list' shows [all]");
  Command gc =
      add_command(program, action, "gc", "Remove unfinished downloads and other files that a killed emelex left", flags,
                  &collect_garbage);
  for (Command command : {rm, check, gc}) command.add_flag("--json", flags->json, "Print JSON");
  Command chosen = add_command(program, action, "default", "Show or choose the model that is meant where none is named",
                               flags, &choose_default);
  chosen.add_option("MODEL", flags->models, "A name that 'emelex list' shows").expected(0, 1);
}

}  // namespace emelex::cli
