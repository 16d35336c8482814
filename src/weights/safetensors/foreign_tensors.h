#pragma once

#include <optional>
#include <string>
#include <string_view>

// Tensors of folders that are no module of their family, by their names.
namespace emelex {

// Whether it changes nothing: buffers that older programs saved, and scales of a quantized KV cache.
bool is_without_effect(std::string_view name);

// Whether it is named as in GGUF files.
bool is_gguf_name(std::string_view name);

// What a folder with such a tensor is, and what to do instead, for a message: "weights quantized by AWQ or GPTQ (get
// …)". Nothing where the name says nothing.
std::optional<std::string> foreign_kind(std::string_view name);

}  // namespace emelex
