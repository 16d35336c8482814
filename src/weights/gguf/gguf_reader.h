#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "weights/weights.h"

namespace emelex {

// What one GGUF file holds: a model, or a part of one.
struct GgufContent {
  Metadata metadata;
  std::map<std::string, Tensor, std::less<>> tensors;
};

// The content of a GGUF file, version 2 or 3: metadata, and tensors that point into `bytes`. `owner` keeps the bytes
// where they are; each tensor holds on to it. `path` is for messages. The bytes may be anything: whatever contradicts
// the format is Error(corrupt_file), whatever emelex does not have (big-endian files, other tensor types) is
// Error(unsupported).
GgufContent read_gguf_content(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner,
                              const std::filesystem::path& path);

// The same as a whole model; a part of one is Error(unsupported), see gguf_split.h.
std::shared_ptr<const Weights> read_gguf(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner,
                                         const std::filesystem::path& path);

}  // namespace emelex
