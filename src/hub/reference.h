#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/hub.h"

namespace emelex {

// A model as it is named at a hub.
struct ModelReference {
  std::string repo;      // "org/name"
  std::string wanted;    // quantization or file; empty: none was named
  std::string usual;     // quantization that an alias means unless the user prefers another; empty: no alias
  std::string revision;  // branch, tag or commit that an address names; empty: none
};

// What a user typed: an alias, "org/name", "org/name:Q4_K_M", "org/name@revision", "org/name/file.gguf", or one of
// those with "hf.co/", "hf://" or the address of Hugging Face before it; also the address of a page or file there.
// Nothing when it is none of those; whether a repository exists is not asked.
std::optional<ModelReference> parse_reference(std::string_view text);

// Quantizations to take where none is named, the best first: `preferred`, an alias's `usual` one (either may be empty),
// q4_k_m, q4_0. In small letters.
std::vector<std::string> preferred_quantizations(const std::string& preferred, const std::string& usual);

// Those of `models` that were pulled as `text` says: where it names a quantization or file, that one; else all of the
// repository. They point into `models`.
std::vector<const InstalledModel*> pulled_as(std::string_view text, const std::vector<InstalledModel>& models);

// The name under which such a model is registered, once its quantization is known.
std::string name_of_remote_model(const std::string& repo, const std::string& quantization);

}  // namespace emelex
