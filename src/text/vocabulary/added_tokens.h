#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"

namespace emelex {

// A token that is found in text by its name before a model sees the text, as "added_tokens" of tokenizer.json says it.
struct AddedToken {
  std::string text;
  TokenId id = -1;
  bool control = false;      // only where control tokens are allowed
  bool single_word = false;  // only where no letter or digit is next to it
  bool lstrip = false;       // takes the white space before it, too
  bool rstrip = false;       // and after it
};

// Finds added tokens in text. Immutable; safe to use from any thread.
class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens = {});

  struct Match {
    TokenId id = -1;  // -1: none
    size_t begin = 0;
    size_t end = 0;
    bool control = false;
  };

  // The first match from `begin` on, the longest of those that begin there. Control tokens are found only where
  // `control_end` allows: it gives, for a place in the text, where the stretch ends in which they count (that place
  // itself or less: they don't).
  template <class ControlEnd>
  Match find(std::string_view text, size_t begin, ControlEnd& control_end) const {
    if (tokens_.empty()) return {};
    for (size_t at = begin; at < text.size(); ++at) {
      if (!starts_[static_cast<unsigned char>(text[at])]) continue;
      const AddedToken* token = match_at(text, at, control_end(at));
      if (token == nullptr) continue;
      if (token->single_word && !stands_alone(text, at, at + token->text.size())) {
        at += token->text.size() - 1;
        continue;
      }
      return widened(*token, text, begin, at);
    }
    return {};
  }

  bool empty() const { return tokens_.empty(); }
  bool has_control() const { return has_control_; }
  bool has_user_defined() const { return has_user_defined_; }

 private:
  const AddedToken* match_at(std::string_view text, size_t begin, size_t control_end) const;
  static bool stands_alone(std::string_view text, size_t begin, size_t end);
  static Match widened(const AddedToken& token, std::string_view text, size_t least_begin, size_t begin);

  std::vector<AddedToken> tokens_;  // sorted by text
  std::array<bool, 256> starts_{};
  bool has_control_ = false;
  bool has_user_defined_ = false;
};

}  // namespace emelex
