#pragma once

#include <filesystem>

namespace emelex {

// Makes tokenizer and model of the files as loading would, without computing anything or reading its values, and throws
// what loading would throw: Error(unsupported) for an architecture, keys or tensors that emelex has not, and
// Error(corrupt_file) for what is missing or does not fit together.
void check_model(const std::filesystem::path& path);

}  // namespace emelex
