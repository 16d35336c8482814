#pragma once

#include <cstddef>
#include <span>

namespace emelex {

// Reads the bytes as a GGUF file and touches everything that was found. Returns whether it was valid; anything other
// than weights or an Error ends the program. For libFuzzer and for tests/weights.
bool fuzz_gguf(std::span<const std::byte> bytes);

}  // namespace emelex
