#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace emelex {

// Opens a model's files and reads every value of every tensor, on all cores. Returns a line for each tensor with a
// value that is infinite or not a number, which a block has whose scale is; or why the files can't be opened. Adds the
// tensors that it read to `tensors`. Throws Error(cancelled).
std::vector<std::string> check_tensors(const std::filesystem::path& path, const std::atomic<bool>* cancel,
                                       int64_t* tensors);

}  // namespace emelex
