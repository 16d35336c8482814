#include "base/json_document.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"

namespace emelex {

using Json = nlohmann::ordered_json;

JsonDocument::JsonDocument(std::nullptr_t) : json_(std::make_unique<Json>()) {}
JsonDocument::JsonDocument(bool value) : json_(std::make_unique<Json>(value)) {}
JsonDocument::JsonDocument(double value) : json_(std::make_unique<Json>(value)) {}
JsonDocument::JsonDocument(const char* text) : JsonDocument(std::string_view(text)) {}
JsonDocument::JsonDocument(std::string_view text) : json_(std::make_unique<Json>(std::string(text))) {}
JsonDocument::JsonDocument(int64_t value, Number /*tag*/) : json_(std::make_unique<Json>(value)) {}
JsonDocument::JsonDocument(uint64_t value, Number /*tag*/) : json_(std::make_unique<Json>(value)) {}

JsonDocument::JsonDocument(std::initializer_list<Member> members) : JsonDocument(object()) {
  for (const Member& member : members) set(member.key, std::move(member.value));
}

JsonDocument::JsonDocument(const JsonDocument& other) : json_(std::make_unique<Json>(*other.json_)) {}
JsonDocument::JsonDocument(JsonDocument&& other) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument other) noexcept {
  json_ = std::move(other.json_);
  return *this;
}
JsonDocument::~JsonDocument() = default;

JsonDocument JsonDocument::array() {
  JsonDocument empty;
  *empty.json_ = Json::array();
  return empty;
}
JsonDocument JsonDocument::object() {
  JsonDocument empty;
  *empty.json_ = Json::object();
  return empty;
}

void JsonDocument::push_back(JsonDocument element) { json_->push_back(std::move(*element.json_)); }
void JsonDocument::set(std::string_view key, JsonDocument value) {
  (*json_)[std::string(key)] = std::move(*value.json_);
}

std::string JsonDocument::text(int indent, bool ascii) const { return printable_json_text(*json_, indent, ascii); }

}  // namespace emelex
