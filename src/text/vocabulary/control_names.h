#pragma once

#include <string_view>

namespace emelex {

// Whether a special token of that name ends a turn where the model's files do not say which do.
bool ends_turn(std::string_view name);

// Whether a control token of that name marks reasoning, or a message within a turn, and so is shown.
bool marks_reasoning(std::string_view name);

// Whether a token of that name is a control token, whatever the file says: it ends a turn, or marks the parts of a
// program to be filled in. Some files have such tokens among those that are found in any text.
bool is_control_name(std::string_view name);

}  // namespace emelex
