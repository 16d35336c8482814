// emelex config: what is set for all commands, and where.

#include <memory>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/text_table.h"
#include "config/configuration.h"
#include "config/setting_keys.h"

namespace emelex::cli {
namespace {

struct ConfigFlags {
  SettingFlags settings;
  bool json = false;
  std::string name;  // for get and set
  std::string value;
};

// A setting as people see it.
struct Shown {
  std::string value;
  std::string source;
  std::string where;
};

Shown shown(const Configuration& configuration, const SettingKey& key) {
  const SettingOrigin origin = configuration.origin(key.name);
  Shown shown{setting_text(key, configuration.settings), std::string(to_string(origin.source)), origin.where};
  if (!shown.value.empty()) return shown;
  if (key.name == "models_dir") shown.value = open_registry(configuration.settings).root().string();
  if (key.name == "model") {
    shown.value = default_model(configuration.settings);
    if (!shown.value.empty()) shown.source = "'emelex default'";
  }
  return shown;
}

int show_settings(const ConfigFlags& flags) {
  const Configuration configuration = read_configuration(flags.settings);
  JsonDocument json;
  std::vector<std::vector<std::string>> rows = {{"SETTING", "VALUE", "FROM"}};
  for (const SettingKey& key : setting_keys()) {
    const Shown setting = shown(configuration, key);
    json.set(key.name, {{"value", setting.value}, {"source", setting.source}, {"where", setting.where}});
    const std::string from = setting.where.empty() ? setting.source : setting.where;
    rows.push_back({std::string(key.name), one_line(setting.value), one_line(from)});
  }
  standard_output().write(flags.json ? ascii_escapes(json.text(2)) + "\n" : text_table(rows));
  return kDone;
}

std::filesystem::path require_settings_file() {
  const std::filesystem::path file = settings_file();
  if (!file.empty()) return file;
  throw Error(ErrorCode::not_found,
              "[config] expected HOME to say where the configuration lies, got nothing; EMELEX_CONFIG names a file");
}

int show_path(const ConfigFlags&) {
  standard_output().write(require_settings_file().string() + "\n");
  return kDone;
}

int get(const ConfigFlags& flags) {
  const SettingKey& key = find_setting(flags.name);
  standard_output().write(shown(read_configuration(), key).value + "\n");
  return kDone;
}

int set(const ConfigFlags& flags) {
  const std::filesystem::path file = require_settings_file();
  write_setting(file, flags.name, flags.value);
  const SettingOrigin origin = read_configuration().origin(flags.name);
  if (origin.source != SettingSource::file) report_warning(str_cat(origin.where, " is set as well, and comes first"));
  report_note(str_cat("wrote ", path_text(file)));
  return kDone;
}

}  // namespace

void add_config_command(Command& program, Action& action) {
  Command command = program.add_subcommand("config", "Show what is set for all commands, and where");
  const auto flags = std::make_shared<ConfigFlags>();
  command.add_flag("--json", flags->json, "Print one JSON object");
  for (const SettingKey& key : setting_keys()) add_setting_flag(command, flags->settings, key.name);
  command.require_subcommand(0, 1);
  const auto runs = [flags, &action](Command chosen, int (*work)(const ConfigFlags&)) {
    chosen.when_chosen([flags, work, &action] { action = [flags, work] { return work(*flags); }; });
  };
  runs(command.add_subcommand("path", "Print the name of the file"), &show_path);
  Command one = command.add_subcommand("get", "Print one value");
  Command write = command.add_subcommand("set", "Write one value into the file; the rest of it stays as it is");
  for (Command sub : {one, write}) sub.add_option("SETTING", flags->name, "Its name").required();
  write.add_option("VALUE", flags->value, "Its value").required();
  runs(one, &get);
  runs(write, &set);
  command.when_chosen([command, flags, &action] {  // called last
    if (!command.has_chosen_subcommand()) action = [flags] { return show_settings(*flags); };
  });
}

}  // namespace emelex::cli
