#include "text/vocabulary/added_tokens.h"

#include <algorithm>

#include "text/unicode/characters.h"
#include "text/unicode/utf8.h"

namespace emelex {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.text.empty(); });
  const auto before = [](const AddedToken& a, const AddedToken& b) { return a.text < b.text; };
  std::stable_sort(tokens_.begin(), tokens_.end(), before);
  for (const AddedToken& token : tokens_) {
    starts_[static_cast<unsigned char>(token.text[0])] = true;
    (token.control ? has_control_ : has_user_defined_) = true;
  }
}

const AddedToken* AddedTokens::match_at(std::string_view text, size_t begin, size_t control_end) const {
  // Narrows the tokens to those that agree with the text, one more byte at a time. Of these the first is the shortest.
  const AddedToken* best = nullptr;
  auto first = tokens_.begin();
  auto last = tokens_.end();
  for (size_t length = 1; begin + length <= text.size() && first != last; ++length) {
    const auto next = static_cast<unsigned char>(text[begin + length - 1]);
    const auto byte_of = [&](const AddedToken& token) { return static_cast<unsigned char>(token.text[length - 1]); };
    first = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) < next; });
    last = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) <= next; });
    for (; first != last && first->text.size() == length; ++first) {
      if (!first->control || begin + length <= control_end) best = &*first;
    }
  }
  return best;
}

bool AddedTokens::stands_alone(std::string_view text, size_t begin, size_t end) {
  if (end < text.size() && is_word_character(utf8_at(text, end).code_point)) return false;
  return begin == 0 || !is_word_character(utf8_at(text, utf8_before(text, begin)).code_point);
}

AddedTokens::Match AddedTokens::widened(const AddedToken& token, std::string_view text, size_t least_begin,
                                        size_t begin) {
  Match match = {token.id, begin, begin + token.text.size(), token.control};
  while (token.lstrip && match.begin > least_begin) {
    const size_t before = utf8_before(text, match.begin);
    if (before < least_begin || !is_white_space(utf8_at(text, before).code_point)) break;
    match.begin = before;
  }
  while (token.rstrip && match.end < text.size()) {
    const Utf8Char next = utf8_at(text, match.end);
    if (next.kind != Utf8Char::Kind::valid || !is_white_space(next.code_point)) break;
    match.end += next.length;
  }
  return match;
}

}  // namespace emelex
