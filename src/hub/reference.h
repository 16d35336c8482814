#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emelex {

// A model as it is named at a hub.
struct ModelReference {
  std::string repo;    // "org/name"
  std::string wanted;  // quantization or file; empty: the usual one
};

// What a user typed: an alias, "org/name", "org/name:Q4_K_M", or that with "hf.co/" or a page's address before it.
// Nothing when it is none of those; whether a repository exists is not asked.
std::optional<ModelReference> parse_reference(std::string_view text);

// The name under which such a model is registered, once its quantization is known.
std::string name_of_remote_model(const std::string& repo, const std::string& quantization);

}  // namespace emelex
