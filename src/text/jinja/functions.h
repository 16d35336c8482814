#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace emelex::jinja {

// The functions that every template has: Jinja's own, and those that chat templates count on.
const std::vector<std::pair<std::string_view, Value>>& global_functions();

}  // namespace emelex::jinja
