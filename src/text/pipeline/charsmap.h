#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// Sentencepiece's normalization rules, compiled: which beginnings of a text become what. The blob has a double-array
// trie (its size in bytes, and 32-bit units as darts-clone packs them), then the replacements, each ended by a zero
// byte. Immutable.
class Charsmap {
 public:
  // Throws Error(corrupt_file), naming `source`.
  Charsmap(std::string_view blob, const std::string& source);

  struct Match {
    size_t length;  // of the text that is replaced
    std::string_view replacement;
  };

  // The longest rule that `text` begins with, or the shortest.
  std::optional<Match> longest(std::string_view text) const;
  std::optional<Match> shortest(std::string_view text) const;

 private:
  // Calls visit(length, value) for each rule, the shortest first, as long as it returns true.
  template <class Visit>
  void find(std::string_view text, const Visit& visit) const;
  std::string_view replacement_at(size_t place) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace emelex
