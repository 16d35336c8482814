#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/settings.h"

namespace emelex {

using SettingField = std::variant<std::string*, int*, float*, bool*, ByteCount*, std::filesystem::path*>;

// One setting. Its name is its key in the file, "top_p"; the flag and the environment's variable follow from it.
struct SettingKey {
  std::string_view name;
  SettingField (*field)(Settings& settings);
  std::string_view help;
  double least = 0;  // of numbers
  double most = 0;
  bool open = false;                           // `least` itself is not allowed
  std::vector<std::string_view> choices = {};  // of texts; empty: any
};

// All of them, in the order in which people read them.
const std::vector<SettingKey>& setting_keys();

// The setting of that name. Throws Error(invalid_argument) for an unknown one, with those that are like it.
const SettingKey& find_setting(std::string_view name);

std::string environment_name(const SettingKey& key);  // "EMELEX_TOP_P"
std::string flag_name(const SettingKey& key);         // "--top-p"

// Sets what a text says: "0.9", "q8_0", "true", "6GB". Throws Error(invalid_argument): "expected …, got …".
void set_setting(const SettingKey& key, const std::string& text, Settings& settings);

// The same text back.
std::string setting_text(const SettingKey& key, const Settings& settings);

// "" when `text` is a finite number of at least `least` (more than it, when `open`) and at most `most`, where the
// largest int means no end; else "expected …, got …".
std::string number_problem(const std::string& text, double least, double most, bool open);

}  // namespace emelex
