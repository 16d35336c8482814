#include "config/configuration.h"

#include "base/strings.h"
#include "config/settings_file.h"
#include "hub/environment.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// Empty where it is gone, which is no reason to fail.
fs::path here() {
  std::error_code gone;
  return fs::current_path(gone);
}

// What one layer says of a setting, over what those below say. Relative paths begin at `folder`.
void set_over(Configuration& configuration, const SettingKey& key, const std::string& text, const SettingOrigin& origin,
              const fs::path& folder) {
  try {
    set_setting(key, text, configuration.settings);
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_argument, str_cat("[config] ", origin.where, ": ", error.what()));
  }
  const SettingField field = key.field(configuration.settings);
  if (const auto* path = std::get_if<fs::path*>(&field)) {
    if (!(*path)->empty()) **path = (folder / **path).lexically_normal();
  }
  configuration.origins[key.name] = origin;
}

void add_file(Configuration& configuration) {
  const fs::path file = settings_file();
  std::error_code error;
  const bool named = !environment("EMELEX_CONFIG").empty();
  if (file.empty() || (!named && !fs::exists(file, error))) return;
  for (const FileSetting& setting : parse_settings(read_settings_text(file), file)) {
    set_over(configuration, *setting.key, setting.text,
             {SettingSource::file, str_cat(path_text(file), ":", setting.begin.line)},
             fs::absolute(file).parent_path());
  }
}

void add_environment(Configuration& configuration) {
  for (const SettingKey& key : setting_keys()) {
    const std::string name = environment_name(key);
    const std::string value = environment(name.c_str());
    if (value.empty()) continue;
    set_over(configuration, key, value, {SettingSource::environment, name}, here());
  }
}

}  // namespace

std::string_view to_string(SettingSource source) {
  switch (source) {
    case SettingSource::built_in:
      return "default";
    case SettingSource::file:
      return "file";
    case SettingSource::environment:
      return "environment";
    case SettingSource::flag:
      return "flag";
  }
  return "unknown";
}

SettingOrigin Configuration::origin(std::string_view name) const {
  const auto found = origins.find(name);
  return found == origins.end() ? SettingOrigin{} : found->second;
}

fs::path settings_file() {
  const std::string chosen = environment("EMELEX_CONFIG");
  if (!chosen.empty()) return chosen;
  const fs::path home = home_folder();
#ifdef __APPLE__
  const fs::path folder = home.empty() ? fs::path() : home / "Library" / "Application Support";
#else
  // The XDG specification says that a relative path is to be ignored.
  fs::path folder = environment("XDG_CONFIG_HOME");
  if (!folder.is_absolute()) folder = home.empty() ? fs::path() : home / ".config";
#endif
  return folder.empty() ? fs::path() : folder / "OpenAgents" / "emelex" / "config.toml";
}

Configuration read_configuration(const std::map<std::string, std::string>& flags) {
  Configuration configuration;
  add_file(configuration);
  add_environment(configuration);
  for (const auto& [name, text] : flags) {
    const SettingKey& key = find_setting(name);
    set_over(configuration, key, text, {SettingSource::flag, flag_name(key)}, here());
  }
  return configuration;
}

}  // namespace emelex
