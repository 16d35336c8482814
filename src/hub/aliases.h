#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// A short name for a model that many people want.
struct Alias {
  std::string_view name;          // "llama3.2:3b"
  std::string_view repo;          // at Hugging Face
  std::string_view quantization;  // of its files
};

// All of them, by name.
const std::vector<Alias>& aliases();

// Their names.
std::vector<std::string> alias_names();

// The alias of that name, or nullptr.
const Alias* find_alias(std::string_view name);

}  // namespace emelex
