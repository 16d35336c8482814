#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"
#include "text/byte_level_vocabulary.h"

namespace emelex {

// Finds control and user-defined tokens in text by their names. Immutable; safe to use from any thread.
class SpecialTokenFinder {
 public:
  // `vocabulary` must outlive this.
  explicit SpecialTokenFinder(const ByteLevelVocabulary& vocabulary);

  struct Match {
    TokenId id = -1;  // -1: none
    size_t begin = 0;
    size_t end = 0;
  };

  // The first match from `begin` on, the longest of those that begin there. Control tokens are found only where
  // `control_end` allows: it gives, for a place in the text, where the stretch ends in which they count (that place
  // itself or less: they don't).
  template <class ControlEnd>
  Match find(std::string_view text, size_t begin, const ControlEnd& control_end) const {
    if (names_.empty()) return {};
    for (; begin < text.size(); ++begin) {
      if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
      const Match match = match_at(text, begin, control_end(begin));
      if (match.id >= 0) return match;
    }
    return {};
  }

  bool has_user_defined() const { return has_user_defined_; }

 private:
  struct Name {
    std::string_view text;
    TokenId id;
    bool control;
  };

  Match match_at(std::string_view text, size_t begin, size_t control_end) const;

  std::vector<Name> names_;  // sorted by text
  std::array<bool, 256> starts_{};
  bool has_user_defined_ = false;
};

}  // namespace emelex
