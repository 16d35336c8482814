#include "base/json_text.h"

#include <nlohmann/json.hpp>

namespace emelex {
namespace {

template <class Json>
std::string printable(const Json& json, int indent, bool ascii) {
  return json.dump(indent, ' ', ascii, Json::error_handler_t::replace);
}

}  // namespace

std::string json_text(const nlohmann::json& json, int indent) { return json.dump(indent); }
std::string json_text(const nlohmann::ordered_json& json, int indent) { return json.dump(indent); }

std::string printable_json_text(const nlohmann::json& json, int indent, bool ascii) {
  return printable(json, indent, ascii);
}
std::string printable_json_text(const nlohmann::ordered_json& json, int indent, bool ascii) {
  return printable(json, indent, ascii);
}

nlohmann::json json_of(std::string_view text) { return nlohmann::json::parse(text, nullptr, false); }
nlohmann::ordered_json ordered_json_of(std::string_view text) {
  return nlohmann::ordered_json::parse(text, nullptr, false);
}
nlohmann::json valid_json_of(std::string_view text) { return nlohmann::json::parse(text); }
nlohmann::ordered_json valid_ordered_json_of(std::string_view text) { return nlohmann::ordered_json::parse(text); }

}  // namespace emelex
