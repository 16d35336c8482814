#include "text/pipeline/sentencepiece_normalizer.h"

#include <utf8proc.h>

#include "text/unicode/utf8.h"
#include "text/vocabulary/prefix_tree.h"

namespace emelex {
namespace {

constexpr std::string_view kMark = kSpaceMark;

size_t bytes_of(const std::vector<std::string>& texts) {
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  return bytes;
}

class SentencePiece final : public Normalizer {
 public:
  explicit SentencePiece(SentencePieceOptions options)
      : options_(std::move(options)), verbatim_(bytes_of(options_.verbatim)) {
    for (const std::string& text : options_.verbatim) verbatim_.insert(text, 0);
  }

  std::string apply(std::string text, Before before) const override {
    std::string_view rest = text;
    if (options_.remove_extra_spaces) skip_spaces(rest);
    std::string out;
    if (rest.empty()) return out;
    out.reserve(rest.size() + rest.size() / 4 + kMark.size());
    const bool adds_space = has_prefix(before);
    if (adds_space && !options_.space_is_suffix) out += kMark;
    append(rest, out);
    while (options_.remove_extra_spaces && out.ends_with(kMark)) out.resize(out.size() - kMark.size());
    if (adds_space && options_.space_is_suffix) out += kMark;
    return out;
  }

 private:
  // What the beginning of a text becomes, and how much of it that is.
  struct Step {
    std::string_view text;
    size_t taken;
  };

  Step step(std::string_view rest) const {
    size_t taken = 0;
    if (!options_.verbatim.empty()) {
      verbatim_.find_beginnings(rest, [&](size_t length, int32_t /*value*/) { taken = length; });
    }
    if (taken > 0) return {rest.substr(0, taken), taken};
    if (options_.charsmap != nullptr) {
      if (const auto match = options_.charsmap->longest(rest)) return {match->replacement, match->length};
    }
    const Utf8Char character = utf8_at(rest, 0);
    if (character.kind != Utf8Char::Kind::valid) return {kReplacementCharacter, 1};
    return {rest.substr(0, character.length), character.length};
  }

  void skip_spaces(std::string_view& rest) const {
    while (!rest.empty()) {
      const Step next = step(rest);
      if (next.text != " ") return;
      rest.remove_prefix(next.taken);
    }
  }

  void append(std::string_view rest, std::string& out) const {
    bool after_space = options_.remove_extra_spaces;
    while (!rest.empty()) {
      Step next = step(rest);
      rest.remove_prefix(next.taken);
      while (after_space && next.text.starts_with(' ')) next.text.remove_prefix(1);
      if (next.text.empty()) continue;
      for (const char c : next.text) {
        if (c == ' ') {
          out += kMark;
        } else {
          out.push_back(c);
        }
      }
      after_space = options_.remove_extra_spaces && next.text.ends_with(' ');
    }
  }

  bool has_prefix(Before before) const {
    using Prefix = SentencePieceOptions::Prefix;
    switch (options_.prefix) {
      case Prefix::never:
        return false;
      case Prefix::after_control:
        return before != Before::user_defined_token;
      case Prefix::after_token:
      case Prefix::always:
        return true;
    }
    return false;
  }

  SentencePieceOptions options_;
  PrefixTree verbatim_;
};

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(std::shared_ptr<const Charsmap> charsmap) : charsmap_(std::move(charsmap)) {}

  std::string apply(std::string text, Before /*before*/) const override {
    std::string out;
    out.reserve(text.size());
    const std::string_view whole = text;
    for (size_t begin = 0; begin < whole.size();) {
      const size_t end = end_of_grapheme(whole, begin);
      append(whole.substr(begin, end - begin), out);
      begin = end;
    }
    return out;
  }

 private:
  static size_t end_of_grapheme(std::string_view text, size_t begin) {
    Utf8Char character = utf8_at(text, begin);
    utf8proc_int32_t state = 0;
    size_t end = begin + character.length;
    while (end < text.size()) {
      const Utf8Char next = utf8_at(text, end);
      if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(character.code_point),
                                           static_cast<utf8proc_int32_t>(next.code_point), &state)) {
        break;
      }
      character = next;
      end += next.length;
    }
    return end;
  }

  void append(std::string_view grapheme, std::string& out) const {
    constexpr size_t kLongest = 5;  // bytes that are looked up at once
    if (grapheme.size() <= kLongest) {
      if (const auto match = charsmap_->shortest(grapheme)) {
        out += match->replacement;
        return;
      }
    }
    for (size_t at = 0; at < grapheme.size();) {
      const std::string_view part = grapheme.substr(at, utf8_at(grapheme, at).length);
      const auto match = charsmap_->shortest(part);
      out += match ? match->replacement : part;
      at += part.size();
    }
  }

  std::shared_ptr<const Charsmap> charsmap_;
};

}  // namespace

NormalizerPtr make_sentencepiece_normalizer(SentencePieceOptions options) {
  return std::make_unique<SentencePiece>(std::move(options));
}

NormalizerPtr make_precompiled(std::shared_ptr<const Charsmap> charsmap) {
  return std::make_unique<Precompiled>(std::move(charsmap));
}

}  // namespace emelex
