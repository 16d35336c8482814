#include "text/pipeline/pre_tokenizer.h"

#include <algorithm>
#include <functional>

#include "text/pipeline/growth.h"
#include "text/unicode/utf8.h"
#include "text/vocabulary/byte_alphabet.h"

namespace emelex {

const std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

using Views = std::vector<std::string_view>;
using Parts = std::vector<Regex::Part>;

std::string_view joined(std::string_view a, std::string_view b) { return {a.data(), a.size() + b.size()}; }

size_t bytes_of(const Views& words) {
  size_t bytes = 0;
  for (const std::string_view word : words) bytes += word.size();
  return bytes;
}

// Each match joins the part before it, unless that is a match itself.
void merge_with_previous(const Parts& parts, Views& words) {
  const size_t first = words.size();
  bool after_match = false;
  for (const auto& [text, is_match] : parts) {
    if (is_match && !after_match && words.size() > first) {
      words.back() = joined(words.back(), text);
    } else {
      words.push_back(text);
    }
    after_match = is_match;
  }
}

void merge_with_next(const Parts& parts, Views& words) {
  const auto first = static_cast<std::ptrdiff_t>(words.size());
  bool before_match = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->is_match && !before_match && static_cast<std::ptrdiff_t>(words.size()) > first) {
      words.back() = joined(part->text, words.back());
    } else {
      words.push_back(part->text);
    }
    before_match = part->is_match;
  }
  std::reverse(words.begin() + first, words.end());
}

void merge_contiguous(const Parts& parts, Views& words) {
  const size_t first = words.size();
  bool last = false;
  for (const auto& [text, is_match] : parts) {
    if (words.size() > first && is_match == last) {
      words.back() = joined(words.back(), text);
    } else {
      words.push_back(text);
    }
    last = is_match;
  }
}

class Split final : public PreTokenizer {
 public:
  Split(std::unique_ptr<const Regex> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void split(std::string_view word, bool /*at_start*/, Views& words, Arena& /*arena*/) const override {
    if (behavior_ == SplitBehavior::isolated) return pattern_->split(word, words);
    Parts parts;
    pattern_->find_parts(word, parts);
    for (Regex::Part& part : parts) part.is_match ^= invert_;
    const size_t first = words.size();
    join(parts, words);
    const auto is_empty = [](std::string_view text) { return text.empty(); };
    words.erase(std::remove_if(words.begin() + static_cast<std::ptrdiff_t>(first), words.end(), is_empty), words.end());
  }

 private:
  void join(const Parts& parts, Views& words) const {
    switch (behavior_) {
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::removed:
        for (const auto& [text, is_match] : parts) {
          if (!is_match) words.push_back(text);
        }
        break;
      case SplitBehavior::merged_with_previous:
        return merge_with_previous(parts, words);
      case SplitBehavior::merged_with_next:
        return merge_with_next(parts, words);
      case SplitBehavior::contiguous:
        return merge_contiguous(parts, words);
    }
  }

  std::unique_ptr<const Regex> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string mark, PrependScheme scheme, bool split)
      : mark_(std::move(mark)), scheme_(scheme), split_(split) {}

  void split(std::string_view word, bool at_start, Views& words, Arena& arena) const override {
    std::string& text = arena.emplace_back();
    const bool prepends = scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && at_start);
    if (prepends && !word.starts_with(' ') && !word.starts_with(mark_)) text = mark_;
    for (const char c : word) c == ' ' ? text += mark_ : text += c;
    if (!split_) return words.push_back(text);
    // Each mark begins a word, together with what follows up to the next.
    const std::string_view whole = text;
    for (size_t begin = 0; begin < whole.size();) {
      const size_t end = std::min(whole.find(mark_, begin + 1), whole.size());
      words.push_back(whole.substr(begin, end - begin));
      begin = end;
    }
  }

 private:
  std::string mark_;
  PrependScheme scheme_;
  bool split_;
};

class SpacePrefix final : public PreTokenizer {
 public:
  void split(std::string_view word, bool /*at_start*/, Views& words, Arena& arena) const override {
    if (!word.starts_with(' ')) word = arena.emplace_back(' ' + std::string(word));
    words.push_back(word);
  }
};

class ByteCharacters final : public PreTokenizer {
 public:
  void split(std::string_view word, bool /*at_start*/, Views& words, Arena& arena) const override {
    std::string& text = arena.emplace_back();
    append_as_byte_level(word, text);
    words.push_back(text);
  }
};

class MarkCut final : public PreTokenizer {
 public:
  MarkCut(std::string mark, std::vector<std::string> kept_after)
      : mark_(std::move(mark)), kept_after_(std::move(kept_after)) {}

  void split(std::string_view word, bool /*at_start*/, Views& words, Arena& /*arena*/) const override {
    size_t begin = 0;
    for (size_t at = word.find(mark_, 1); at < word.size(); at = word.find(mark_, at + mark_.size())) {
      if (is_kept(word.substr(0, at))) continue;
      words.push_back(word.substr(begin, at - begin));
      begin = at;
    }
    if (begin < word.size()) words.push_back(word.substr(begin));
  }

 private:
  bool is_kept(std::string_view before) const {
    if (before.ends_with(mark_)) return true;
    return std::any_of(kept_after_.begin(), kept_after_.end(),
                       [&](const std::string& character) { return before.ends_with(character); });
  }

  std::string mark_;
  std::vector<std::string> kept_after_;
};

class Sequence final : public PreTokenizer {
 public:
  explicit Sequence(std::vector<PreTokenizerPtr> steps) : steps_(std::move(steps)) {}

  void split(std::string_view word, bool at_start, Views& words, Arena& arena) const override {
    Words now = {{word}, at_start};
    for (const PreTokenizerPtr& step : steps_) {
      const size_t n_made = arena.size();
      step->split_all(now, arena);
      if (arena.size() > n_made) check_growth(word.size(), bytes_of(now.views));
    }
    words.insert(words.end(), now.views.begin(), now.views.end());
  }

 private:
  std::vector<PreTokenizerPtr> steps_;
};

}  // namespace

void PreTokenizer::split_all(Words& words, Arena& arena) const {
  Views smaller;
  smaller.reserve(words.views.size());
  bool first = words.at_start;
  bool still_at_start = false;
  for (const std::string_view word : words.views) {
    const size_t before = smaller.size();
    split(word, first, smaller, arena);
    if (first && smaller.size() > before) {
      // A step that leaves out the beginning gives a view into the middle; one that makes strings keeps the beginning.
      const char* begin = smaller[before].data();
      const std::less<> before_it;
      still_at_start = !before_it(word.data(), begin) || !before_it(begin, word.data() + word.size());
    }
    first = false;
  }
  words.views = std::move(smaller);
  words.at_start = still_at_start;
}

PreTokenizerPtr make_split(std::unique_ptr<const Regex> pattern, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(pattern), behavior, invert);
}

PreTokenizerPtr make_split(std::string_view pattern, SplitBehavior behavior) {
  return make_split(std::make_unique<Regex>(pattern), behavior, false);
}

PreTokenizerPtr make_metaspace(std::string mark, PrependScheme scheme, bool split) {
  return std::make_unique<Metaspace>(std::move(mark), scheme, split);
}

PreTokenizerPtr make_space_prefix() { return std::make_unique<SpacePrefix>(); }

PreTokenizerPtr make_byte_characters() { return std::make_unique<ByteCharacters>(); }

PreTokenizerPtr make_mark_cut(std::string mark, std::vector<std::string> kept_after) {
  return std::make_unique<MarkCut>(std::move(mark), std::move(kept_after));
}

PreTokenizerPtr make_bert_words() {
  std::vector<PreTokenizerPtr> steps;
  steps.push_back(make_split(R"(\s)", SplitBehavior::removed));
  steps.push_back(make_split(R"([\p{P}!-/:-@\[-`{-~])", SplitBehavior::isolated));
  return make_sequence(std::move(steps));
}

PreTokenizerPtr make_sequence(std::vector<PreTokenizerPtr> steps) {
  if (steps.size() == 1) return std::move(steps.front());
  return std::make_unique<Sequence>(std::move(steps));
}

}  // namespace emelex
