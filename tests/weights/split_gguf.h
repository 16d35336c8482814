#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "weights/gguf/gguf_writer.h"
#include "weights/weights.h"

namespace emelex {

// "NAME-00002-of-00003.gguf" of part 2, as people count.
std::string split_name(const std::string& name, int part, int count);

// A part with its three keys and nothing else yet. `no` counts from 0.
GgufWriter split_part(int no, int count, int n_tensors);

// Writes a model into `folder` as NAME-00001-of-0000N.gguf and so on, each with about the same number of tensors, and
// returns their paths.
std::vector<std::filesystem::path> write_split(const Weights& model, const std::filesystem::path& folder,
                                               const std::string& name, int count);

}  // namespace emelex
