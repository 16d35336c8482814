#pragma once

#include <cstddef>
#include <span>

// Each reads bytes as one kind of a model's files and touches everything that was found. Returns whether they were
// valid; anything other than a result or an Error ends the program. For libFuzzer (fuzz_main.cpp) and tests/weights.
namespace emelex {

// A .gguf file.
bool fuzz_gguf(std::span<const std::byte> bytes);

// The parts of a model in several .gguf files, with kPartSeparator between them.
bool fuzz_gguf_split(std::span<const std::byte> bytes);
inline constexpr char kPartSeparator[] = "\n--part--\n";

// A .safetensors file, a model.safetensors.index.json, a config.json.
bool fuzz_safetensors(std::span<const std::byte> bytes);
bool fuzz_safetensors_index(std::span<const std::byte> bytes);
bool fuzz_hf_config(std::span<const std::byte> bytes);

// A folder: config.json, a zero byte (which JSON can't have), and the .safetensors file.
bool fuzz_safetensors_folder(std::span<const std::byte> bytes);

}  // namespace emelex
