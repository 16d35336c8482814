#pragma once

#include <filesystem>

namespace emelex {

// Makes a model of the files as loading it would, without computing anything or reading its values, and throws where
// emelex can't compute it: Error(unsupported) for its architecture, keys or tensors, and what opening the files throws.
void check_model(const std::filesystem::path& path);

}  // namespace emelex
