#include "config/settings_file.h"

#include <toml++/toml.h>

#include <sstream>

#include "base/small_file.h"
#include "base/strings.h"

namespace emelex {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const toml::source_position& at, std::string_view problem) {
  throw Error(ErrorCode::invalid_argument, str_cat("[config] ", path_text(file), ":", at.line, ": ", problem));
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

// Which TOML types a kind of field takes.
struct Takes {
  const toml::node& node;
  std::string_view operator()(const std::string*) const { return node.is_string() ? "" : "a string"; }
  std::string_view operator()(const std::filesystem::path*) const { return node.is_string() ? "" : "a string"; }
  std::string_view operator()(const int*) const { return node.is_integer() ? "" : "a whole number"; }
  std::string_view operator()(const float*) const { return node.is_number() ? "" : "a number"; }
  std::string_view operator()(const bool*) const { return node.is_boolean() ? "" : "true or false"; }
  std::string_view operator()(const ByteCount*) const {
    return node.is_string() || node.is_integer() ? "" : "a size such as \"6GB\"";
  }
};

std::string value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return str_cat(number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(15);
  out << node.as_floating_point()->get();
  return out.str();
}

TextPosition position(const toml::source_position& at) {
  return {static_cast<int>(at.line), static_cast<int>(at.column)};
}

// Throws Error without the place.
FileSetting read_setting(const toml::key& name, const toml::node& node) {
  const SettingKey& key = find_setting(name.str());
  Settings scratch;
  const std::string_view expected = std::visit(Takes{node}, key.field(scratch));
  if (!expected.empty()) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("expected ", expected, " for ", key.name, ", got ", type_name(node)));
  }
  FileSetting setting{&key, value_text(node), position(node.source().begin), position(node.source().end)};
  try {
    set_setting(key, setting.text, scratch);
  } catch (const Error& error) {
    throw Error(error.code(), str_cat(key.name, ": ", error.what()));
  }
  return setting;
}

}  // namespace

std::vector<FileSetting> parse_settings(const std::string& text, const std::filesystem::path& file) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(file, error.source().begin, error.description());
  }
  std::vector<FileSetting> settings;
  for (const auto& [name, node] : table) {
    try {
      settings.push_back(read_setting(name, node));
    } catch (const Error& error) {
      fail(file, name.source().begin, error.what());
    }
  }
  return settings;
}

std::string read_settings_text(const std::filesystem::path& file) { return read_small_file(file); }

}  // namespace emelex
