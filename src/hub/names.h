#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// The file in the registry that says which model is the default; hence no model's name.
inline constexpr const char* kDefaultFile = "default";

// The folder of a model. A ':' is no part of a file name on Windows and most network disks, and Finder shows it as '/';
// so "a:b" lies in "a+b". Names hold no '+', hence two names never share a folder. `name` must be a checked one.
std::string folder_of_name(std::string_view name);

// Throws Error(invalid_argument) for what check_model_name refuses, and for names that mean something else in the
// registry: "default". Models that have such a name already are still found.
void check_new_name(std::string_view name);

// The names most like `wanted`, best first, at most three; those that are nothing like it are left out.
std::vector<std::string> similar_names(std::string_view wanted, const std::vector<std::string>& names);

// "q4_k_m", "iq2_xs", "f16", "ud-q4_k_xl", … in small letters: what a part of a file's name says about its weights.
bool is_quantization(std::string_view text);

// "qwen3-4b-ud-q4_k_xl" → "qwen3-4b" and "ud-q4_k_xl", "llama-q4_k_m-imat" → "llama" and "q4_k_m". The last such part
// counts. Without one, all is the base.
struct NameParts {
  std::string base;
  std::string quantization;
};
NameParts split_quantization(std::string_view stem);

// Without the "-00001-of-00003" of a file in parts.
std::string_view without_part_number(std::string_view stem);

// "ABC" → "abc", in ASCII alone.
std::string to_lower(std::string_view text);

// `text` in quotes with everything that a terminal could act on replaced by '?'.
std::string in_quotes(std::string_view text);

}  // namespace emelex
