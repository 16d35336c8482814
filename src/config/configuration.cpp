#include "config/configuration.h"

#include "base/strings.h"
#include "config/settings_file.h"
#include "hub/environment.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// Puts one layer over another.
class Layers {
 public:
  explicit Layers(Configuration& configuration) : configuration_(configuration) {}

  // `folder` is what relative paths begin at.
  void set(const SettingKey& key, const std::string& text, SettingSource source, const std::string& where,
           const fs::path& folder) {
    try {
      set_setting(key, text, configuration_.settings);
    } catch (const Error& error) {
      throw Error(ErrorCode::invalid_argument, str_cat("[config] ", where, ": ", error.what()));
    }
    const SettingField field = key.field(configuration_.settings);
    if (const auto* path = std::get_if<fs::path*>(&field)) make_absolute(**path, folder);
    configuration_.origins[key.name] = {source, where};
  }

 private:
  static void make_absolute(fs::path& path, const fs::path& folder) {
    if (!path.empty() && path.is_relative()) path = (folder / path).lexically_normal();
  }

  Configuration& configuration_;
};

void add_file(Layers& layers) {
  const fs::path file = settings_file();
  std::error_code error;
  const bool named = !environment("EMELEX_CONFIG").empty();
  if (file.empty() || (!named && !fs::exists(file, error))) return;
  for (const FileSetting& setting : parse_settings(read_settings_text(file), file)) {
    layers.set(*setting.key, setting.text, SettingSource::file, str_cat(path_text(file), ":", setting.begin.line),
               fs::absolute(file).parent_path());
  }
}

void add_environment(Layers& layers) {
  for (const SettingKey& key : setting_keys()) {
    const std::string name = environment_name(key);
    const std::string value = environment(name.c_str());
    if (!value.empty()) layers.set(key, value, SettingSource::environment, name, fs::current_path());
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
  const fs::path home = environment("HOME");
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
  Layers layers(configuration);
  add_file(layers);
  add_environment(layers);
  for (const auto& [name, text] : flags) {
    const SettingKey& key = find_setting(name);
    layers.set(key, text, SettingSource::flag, flag_name(key), fs::current_path());
  }
  return configuration;
}

}  // namespace emelex
