#pragma once

#include <filesystem>

#include "weights/weights.h"

namespace emelex {

// Rounded twice is worse than rounded once, and nobody should find that out later. Throws Error(unsupported).
[[noreturn]] void throw_rounded(const Tensor& tensor);

// Writing over the file that is being read, or in the place of a folder that holds it, would lose it. Throws
// Error(invalid_argument).
void check_not_input(const Weights& weights, const std::filesystem::path& output);

}  // namespace emelex
