#pragma once

#include <map>
#include <string>
#include <string_view>

namespace emelex::cuda {

// The texts of source/ by name without the ending: "product". They are part of the program.
const std::map<std::string, std::string_view, std::less<>>& kernel_texts();

}  // namespace emelex::cuda
