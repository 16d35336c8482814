#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// A model as it is named at a hub.
struct ModelReference {
  std::string repo;    // "org/name"
  std::string wanted;  // quantization or file; empty: none was named
  std::string usual;   // quantization that an alias means unless the user prefers another; empty: no alias
};

// What a user typed: an alias, "org/name", "org/name:Q4_K_M", or that with "hf.co/" or a page's address before it.
// Nothing when it is none of those; whether a repository exists is not asked.
std::optional<ModelReference> parse_reference(std::string_view text);

// Quantizations to take where none is named, the best first: `preferred`, an alias's `usual` one (either may be empty),
// q4_k_m, q4_0. In small letters.
std::vector<std::string> preferred_quantizations(const std::string& preferred, const std::string& usual);

// The name under which such a model is registered, once its quantization is known.
std::string name_of_remote_model(const std::string& repo, const std::string& quantization);

}  // namespace emelex
