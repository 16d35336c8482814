#pragma once

#include <string_view>

namespace emelex {

// Whether a control token of that name ends a model's turn, whatever the file's keys say.
bool ends_turn(std::string_view name);

// Whether a token of that name is a control token, whatever the file says: it ends a turn, or marks the parts of a
// program to be filled in. Some files have such tokens among those that are found in any text.
bool is_control_name(std::string_view name);

}  // namespace emelex
