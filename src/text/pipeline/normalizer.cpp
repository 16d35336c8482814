#include "text/pipeline/normalizer.h"

#include "text/pipeline/growth.h"
#include "text/unicode/utf8.h"
#include "text/vocabulary/byte_alphabet.h"

namespace emelex {
namespace {

// Copies `text` character by character through `change(character, out)`; bytes that are none stay.
template <class Change>
std::string map_characters(std::string_view text, const Change& change) {
  std::string out;
  out.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const Utf8Char character = utf8_at(text, position);
    if (character.kind == Utf8Char::Kind::valid) {
      change(character.code_point, out);
    } else {
      out += text.substr(position, character.length);
    }
    position += character.length;
  }
  return out;
}

// A normalizer of one function from text to text.
template <class Function>
class Step final : public Normalizer {
 public:
  explicit Step(Function function) : function_(std::move(function)) {}
  std::string apply(std::string text, Before /*before*/) const override { return function_(std::move(text)); }

 private:
  Function function_;
};

template <class Function>
NormalizerPtr make_step(Function function) {
  return std::make_unique<Step<Function>>(std::move(function));
}

// A normalizer of one function on characters.
template <class Change>
NormalizerPtr make_character_step(Change change) {
  return make_step([change](const std::string& text) { return map_characters(text, change); });
}

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<NormalizerPtr> steps) : steps_(std::move(steps)) {}
  std::string apply(std::string text, Before before) const override {
    const size_t size = text.size();
    for (const NormalizerPtr& step : steps_) {
      text = step->apply(std::move(text), before);
      check_growth(size, text.size());
    }
    return text;
  }

 private:
  std::vector<NormalizerPtr> steps_;
};

std::string stripped(std::string_view text, bool left, bool right) {
  size_t begin = 0;
  while (left && begin < text.size()) {
    const Utf8Char character = utf8_at(text, begin);
    if (!is_white_space(character.code_point)) break;
    begin += character.length;
  }
  size_t end = text.size();
  while (right && end > begin) {
    const size_t last = utf8_before(text, end);
    if (!is_white_space(utf8_at(text, last).code_point)) break;
    end = last;
  }
  return std::string(text.substr(begin, end - begin));
}

void append_nmt(char32_t c, std::string& out) {
  if ((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F) return;
  const bool is_space = c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 ||
                        (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
                        c == 0xFFFD;
  append_utf8(out, is_space ? U' ' : c);
}

void append_clean(char32_t c, std::string& out) {
  if (c == '\t' || c == '\n' || c == '\r' || is_white_space(c)) {
    // Of the control characters that count as spaces, BERT keeps these three alone.
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return;
    if (c == 0x85) return;
    out.push_back(' ');
  } else if (c != 0 && c != 0xFFFD && !is_other(c)) {
    append_utf8(out, c);
  }
}

void append_parted(char32_t c, std::string& out) {
  if (is_han(c)) out.push_back(' ');
  append_utf8(out, c);
  if (is_han(c)) out.push_back(' ');
}

std::string without_accents(const std::string& text) {
  return map_characters(normalized(text, NormalizationForm::nfd), [](char32_t c, std::string& out) {
    if (!is_nonspacing_mark(c)) append_utf8(out, c);
  });
}

void append_lower_of(char32_t c, std::string& out) { append_lower(out, c); }

}  // namespace

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  if (from.empty()) return text;
  size_t at = text.find(from);
  if (at == std::string::npos) return text;
  std::string out;
  size_t copied = 0;
  for (; at != std::string::npos; at = text.find(from, copied)) {
    out.append(text, copied, at - copied);
    out += to;
    check_growth(text.size(), out.size());
    copied = at + from.size();
  }
  out.append(text, copied);
  return out;
}

NormalizerPtr make_normalization(NormalizationForm form) {
  return make_step([form](const std::string& text) { return normalized(text, form); });
}

NormalizerPtr make_lowercase() { return make_character_step(append_lower_of); }

NormalizerPtr make_strip_accents() {
  return make_character_step([](char32_t c, std::string& out) {
    if (!is_mark(c)) append_utf8(out, c);
  });
}

NormalizerPtr make_strip(bool left, bool right) {
  return make_step([left, right](const std::string& text) { return stripped(text, left, right); });
}

NormalizerPtr make_prepend(std::string prefix) {
  return make_step([prefix = std::move(prefix)](std::string text) {
    if (!text.empty()) text.insert(0, prefix);
    return text;
  });
}

NormalizerPtr make_replace(std::string from, std::string to) {
  return make_step(
      [from = std::move(from), to = std::move(to)](std::string text) { return replaced(std::move(text), from, to); });
}

NormalizerPtr make_replace_matches(std::unique_ptr<const Regex> pattern, std::string to) {
  return make_step([pattern = std::shared_ptr<const Regex>(std::move(pattern)),
                    to = std::move(to)](const std::string& text) { return pattern->replace(text, to); });
}

NormalizerPtr make_nmt() { return make_character_step(append_nmt); }

NormalizerPtr make_byte_level() {
  return make_step([](const std::string& text) {
    std::string out;
    append_as_byte_level(text, out);
    return out;
  });
}

NormalizerPtr make_sequence(std::vector<NormalizerPtr> steps) {
  if (steps.size() == 1) return std::move(steps.front());
  return std::make_unique<Sequence>(std::move(steps));
}

NormalizerPtr make_bert(const BertOptions& options) {
  return make_step([options](std::string text) {
    if (options.clean_text) text = map_characters(text, append_clean);
    if (options.spaces_around_han) text = map_characters(text, append_parted);
    if (options.strip_accents) text = without_accents(text);
    if (options.lowercase) text = map_characters(text, append_lower_of);
    return text;
  });
}

}  // namespace emelex
