// write_setting: changes one value in a file that a person keeps.

#include <cstdio>

#include "base/durable_file.h"
#include "base/strings.h"
#include "config/configuration.h"
#include "config/settings_file.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// Where a position is, in bytes.
size_t offset_of(std::string_view text, const TextPosition& at) {
  size_t i = 0;
  for (int line = 1; line < at.line; ++line) i = text.find('\n', i) + 1;
  for (int column = 1; column < at.column && i < text.size(); ++column) {
    do ++i;
    while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U);
  }
  return i;
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    char escape[8] = {c, '\0'};
    if (byte < 0x20 || byte == 0x7F) std::snprintf(escape, sizeof(escape), "\\u%04X", static_cast<unsigned>(byte));
    quoted += c == '"' || c == '\\' ? str_cat("\\", c) : escape;
  }
  return quoted + "\"";
}

// A value as TOML has it. Sizes are in quotes where they have units.
std::string toml_value(const SettingKey& key, const std::string& text) {
  Settings settings;
  set_setting(key, text, settings);
  const SettingField field = key.field(settings);
  if (std::holds_alternative<std::string*>(field) || std::holds_alternative<fs::path*>(field)) return toml_string(text);
  const std::string value = setting_text(key, settings);
  const bool has_unit = std::holds_alternative<ByteCount*>(field) && value.ends_with('B');
  return has_unit ? toml_string(value) : value;
}

std::string with_setting(std::string text, const SettingKey& key, const std::string& value, const fs::path& file) {
  for (const FileSetting& old : parse_settings(text, file)) {
    if (old.key != &key) continue;
    const size_t begin = offset_of(text, old.begin);
    return text.replace(begin, offset_of(text, old.end) - begin, value);
  }
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  return str_cat(text, key.name, " = ", value, "\n");
}

}  // namespace

void write_setting(const fs::path& given, const std::string& name, const std::string& value) {
  const SettingKey& key = find_setting(name);
  std::error_code error;
  const fs::path file = fs::weakly_canonical(given, error);  // a link to a file elsewhere stays one
  const std::string text = fs::exists(file, error) ? read_settings_text(file) : "";
  std::string literal;
  try {
    literal = toml_value(key, value);
  } catch (const Error& wrong) {
    throw Error(ErrorCode::invalid_argument, str_cat("[config] ", key.name, ": ", wrong.what()));
  }
  const std::string changed = with_setting(text, key, literal, file);
  parse_settings(changed, file);  // what is written can be read

  fs::create_directories(file.parent_path(), error);
  DurableFile output(file);
  output.write(changed);
  output.commit();
}

}  // namespace emelex
