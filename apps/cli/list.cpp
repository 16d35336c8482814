// emelex list: the models on this computer.

#include <memory>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/text_table.h"
#include "config/configuration.h"
#include "emelex/hub.h"
#include "tools/check_model.h"

namespace emelex::cli {
namespace {

// "2026-01-31T12:00:00Z" → "2026-01-31 12:00"
std::string used_text(const std::string& time) {
  return time.size() < 16 ? "never" : time.substr(0, 10) + " " + time.substr(11, 5);
}

std::string models_table(const std::vector<InstalledModel>& models, const std::string& chosen) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "SIZE", "PARAMETERS", "TYPE", "CONTEXT", "ARCHITECTURE", "LAST USED (UTC)"}};
  for (const InstalledModel& model : models) {
    rows.push_back({model.name + (model.name == chosen ? " (default)" : ""), human_bytes(model.size),
                    human_count(model.parameters), one_line(model.quantization), std::to_string(model.context_length),
                    one_line(model.architecture), used_text(model.last_used_at)});
  }
  return text_table(rows);
}

std::string models_json(const std::vector<InstalledModel>& models, const std::string& chosen) {
  JsonDocument list = JsonDocument::array();
  for (const InstalledModel& model : models) {
    JsonDocument files = JsonDocument::array();
    for (const ModelFile& file : model.files) {
      const std::filesystem::path path = model.folder / file.path;
      files.push_back({{"path", path.string()}, {"size", file.size}, {"sha256", file.sha256}});
    }
    list.push_back({{"name", model.name},
                    {"path", (model.path == "." ? model.folder : model.folder / model.path).string()},
                    {"source",
                     {{"kind", model.source.kind},
                      {"repo", model.source.repo},
                      {"revision", model.source.revision},
                      {"commit", model.source.commit}}},
                    {"format", model.format},
                    {"architecture", model.architecture},
                    {"parameters", model.parameters},
                    {"quantization", model.quantization},
                    {"context_length", model.context_length},
                    {"size", model.size},
                    {"files", files},
                    {"installed_at", model.installed_at},
                    {"last_used_at", model.last_used_at.empty() ? JsonDocument() : JsonDocument(model.last_used_at)},
                    {"refused", model.refused.empty() ? JsonDocument() : JsonDocument(model.refused)},
                    {"default", model.name == chosen}});
  }
  return ascii_escapes(list.text(2)) + "\n";
}

// The settings may have the default model by its alias or repository.
std::string default_name(const ModelRegistry& registry, const Settings& settings) {
  const std::string chosen = default_model(settings);
  if (chosen.empty()) return "";
  try {
    return registry.find(chosen).name;
  } catch (const Error&) {
    return "";  // a file, or not here
  }
}

int list(bool json) {
  const Settings settings = read_configuration().settings;
  const ModelRegistry registry = open_registry(settings);
  auto models = registry.list([](const std::string& warning) { report_warning(warning); });
  const std::string chosen = default_name(registry, settings);
  for (InstalledModel& model : models) {
    registry.check_runs(model, check_model);
    if (!model.refused.empty()) report_warning(str_cat("'", model.name, "' can't be run: ", model.refused));
  }
  if (json) {
    standard_output().write(models_json(models, chosen));
  } else if (models.empty()) {
    report_note("no models in " + registry.root().string() + "; 'emelex pull' and 'emelex import' add one");
  } else {
    standard_output().write(models_table(models, chosen));
  }
  return kDone;
}

}  // namespace

void add_list_command(Command& program, Action& action) {
  Command command = program.add_subcommand("list", "Show the models that have a name");
  const auto json = std::make_shared<bool>(false);
  command.add_flag("--json", *json, "Print a JSON array");
  command.when_chosen([json, &action] { action = [json] { return list(*json); }; });
}

}  // namespace emelex::cli
