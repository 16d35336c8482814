#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/bounded_json.h"

// Members of objects in JSON files that may hold anything.
namespace emelex {

// A member that is no null; nullptr without.
const Json* find_member(const Json& object, std::string_view key);
bool flag_of(const Json& object, std::string_view key, bool otherwise);
std::string text_of(const Json& object, std::string_view key);

// The steps of a part of the file: those of a Sequence in order, a single one, or none. `list`: what a Sequence calls
// it.
std::vector<const Json*> steps_of(const Json& root, std::string_view part, std::string_view list);

}  // namespace emelex
