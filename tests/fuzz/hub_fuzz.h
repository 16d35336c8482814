#pragma once

#include <cstddef>
#include <span>

// Each reads bytes as something that a hub, or a disk, may hold, and checks what always holds. Returns whether they
// were valid; anything other than a result or an Error ends the program. For libFuzzer (hub_main.cpp) and tests/hub.
namespace emelex {

// The JSON of a repository, of which a model's files are chosen.
bool fuzz_hub_info(std::span<const std::byte> bytes);

// The head of an answer: lines of headers.
bool fuzz_hub_headers(std::span<const std::byte> bytes);

// A manifest.json.
bool fuzz_manifest(std::span<const std::byte> bytes);

}  // namespace emelex
