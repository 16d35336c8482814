#include "text/files/json_members.h"

namespace emelex {

const Json* find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

bool flag_of(const Json& object, std::string_view key, bool otherwise) {
  const Json* value = find_member(object, key);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::string text_of(const Json& object, std::string_view key) {
  const Json* value = find_member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

std::vector<const Json*> steps_of(const Json& root, std::string_view part, std::string_view list) {
  std::vector<const Json*> steps;
  const auto add = [&](const auto& self, const Json& step) -> void {
    const Json* members = text_of(step, "type") == "Sequence" ? find_member(step, list) : nullptr;
    if (members == nullptr || !members->is_array()) return steps.push_back(&step);
    for (const Json& member : *members) self(self, member);
  };
  if (const Json* first = find_member(root, part)) add(add, *first);
  return steps;
}

}  // namespace emelex
