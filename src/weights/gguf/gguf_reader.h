#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "weights/weights.h"

namespace emelex {

// The content of a GGUF file, version 2 or 3: metadata, and tensors that point into `bytes`. `owner` keeps the bytes
// where they are; each tensor holds on to it. `path` is for messages. The bytes may be anything: whatever contradicts
// the format is Error(corrupt_file), whatever emelex does not have (big-endian files, other tensor types, models in
// several files) is Error(unsupported).
std::shared_ptr<const Weights> read_gguf(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner,
                                         const std::filesystem::path& path);

}  // namespace emelex
