#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace emelex {

enum class SettingSource { built_in, file, environment, flag };

// "default", "file", "environment", "flag"
std::string_view to_string(SettingSource source);

// Where a value comes from: `where` is "--top-p", "EMELEX_TOP_P", or the file's "config.toml:3".
struct SettingOrigin {
  SettingSource source = SettingSource::built_in;
  std::string where;
};

// What all settings come to.
struct Configuration {
  Settings settings;
  std::map<std::string_view, SettingOrigin> origins;  // by the setting's name; none: built in

  SettingOrigin origin(std::string_view name) const;
};

// The settings' file: EMELEX_CONFIG, else OpenAgents/emelex/config.toml where the system keeps such files; empty where
// the environment names no place. It need not be there.
std::filesystem::path settings_file();

// Flags over the environment over the file over what is built in. `flags` is a setting's name → its value as a text.
// Throws Error(invalid_argument), naming the place, for what is no setting or no value for one; Error(not_found) when
// the file that EMELEX_CONFIG names is not there.
Configuration read_configuration(const std::map<std::string, std::string>& flags = {});

// Writes one setting to a file, which is made where there is none; the rest of it, comments as well, stays as it is.
// Throws Error(invalid_argument) for a wrong name or value, or when the file is not in order.
void write_setting(const std::filesystem::path& file, const std::string& name, const std::string& value);

}  // namespace emelex
