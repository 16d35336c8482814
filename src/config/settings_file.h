#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/setting_keys.h"

namespace emelex {

// A line and a column of a file, both from 1; columns are characters.
struct TextPosition {
  int line = 0;
  int column = 0;
};

// A setting as the file has it.
struct FileSetting {
  const SettingKey* key = nullptr;
  std::string text;    // of the value, as set_setting takes it
  TextPosition begin;  // of the value
  TextPosition end;    // past it
};

// The settings of a TOML file. Throws Error(invalid_argument), naming the file and the line, for what is no TOML, for
// unknown keys (with those that are like it) and values of a wrong type or outside of their range.
// https://toml.io/en/v1.0.0
std::vector<FileSetting> parse_settings(const std::string& text, const std::filesystem::path& file);

// A whole file. Throws Error(io) or Error(not_found).
std::string read_settings_text(const std::filesystem::path& file);

}  // namespace emelex
