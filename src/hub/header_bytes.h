#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace emelex {

// How many bytes at the beginning of a .gguf or .safetensors file say what its tensors are. Nothing: `begin`, the bytes
// that are there so far, ends before that. For bytes that are no such file it is all of them: what is wrong is said
// when the file is opened.
std::optional<size_t> gguf_header_bytes(std::span<const std::byte> begin);
std::optional<size_t> safetensors_header_bytes(std::span<const std::byte> begin);

}  // namespace emelex
