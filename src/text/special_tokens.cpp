#include "text/special_tokens.h"

#include <algorithm>

namespace emelex {

SpecialTokenFinder::SpecialTokenFinder(const ByteLevelVocabulary& vocabulary) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenType type = vocabulary.type(id);
    const std::string_view name = vocabulary.bytes(id);
    if ((type != TokenType::control && type != TokenType::user_defined) || name.empty()) continue;
    names_.push_back({name, id, type == TokenType::control});
    starts_[static_cast<unsigned char>(name[0])] = true;
    has_user_defined_ |= type == TokenType::user_defined;
  }
  std::sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) { return a.text < b.text; });
}

SpecialTokenFinder::Match SpecialTokenFinder::match_at(std::string_view text, size_t begin, size_t control_end) const {
  // Narrows the names to those that agree with the text, one more byte at a time. Of these the first is the shortest.
  Match best;
  auto first = names_.begin();
  auto last = names_.end();
  for (size_t length = 1; begin + length <= text.size() && first != last; ++length) {
    const auto next = static_cast<unsigned char>(text[begin + length - 1]);
    const auto byte_of = [&](const Name& name) { return static_cast<unsigned char>(name.text[length - 1]); };
    first = std::partition_point(first, last, [&](const Name& name) { return byte_of(name) < next; });
    last = std::partition_point(first, last, [&](const Name& name) { return byte_of(name) <= next; });
    if (first == last || first->text.size() != length) continue;
    if (!first->control || begin + length <= control_end) best = {first->id, begin, begin + length};
    ++first;
  }
  return best;
}

}  // namespace emelex
