#include "text/models/mark_cut.h"

#include <set>

#include "text/pipeline/sentencepiece_normalizer.h"
#include "text/unicode/utf8.h"

namespace emelex {

PreTokenizerPtr make_mark_cut_for(const Vocabulary& vocabulary) {
  constexpr std::string_view kMark = kSpaceMark;
  if (vocabulary.find(kMark) < 0) return nullptr;
  std::set<std::string> kept_after;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string_view text = vocabulary.text(id);
    for (size_t at = text.find(kMark, 1); at < text.size(); at = text.find(kMark, at + kMark.size())) {
      const size_t before = utf8_before(text, at);
      const std::string_view character = text.substr(before, at - before);
      if (character != kMark) kept_after.insert(std::string(character));
    }
  }
  constexpr size_t kMost = 64;  // to be looked at before each mark; with more, cutting is not worth it
  if (kept_after.size() > kMost) return nullptr;
  return make_mark_cut(std::string(kMark), {kept_after.begin(), kept_after.end()});
}

}  // namespace emelex
