#include "text/jinja/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

utf8proc_category_t category_of(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

// The characters that a case-insensitive comparison takes for this one; several for those such as ß.
std::u32string folded(char32_t code_point) {
  std::array<utf8proc_int32_t, 8> buffer;
  int last_class = UTF8PROC_BOUNDCLASS_START;
  const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), buffer.data(),
                                         static_cast<utf8proc_ssize_t>(buffer.size()), UTF8PROC_CASEFOLD, &last_class);
  if (n < 1 || n > static_cast<utf8proc_ssize_t>(buffer.size())) return std::u32string(1, code_point);
  return {buffer.begin(), buffer.begin() + n};
}

char32_t simple_case(char32_t code_point, Case which) {
  const auto code = static_cast<utf8proc_int32_t>(code_point);
  const auto changed = which == Case::upper   ? utf8proc_toupper(code)
                       : which == Case::lower ? utf8proc_tolower(code)
                                              : utf8proc_totitle(code);
  return static_cast<char32_t>(changed);
}

// Unicode's full mapping. utf8proc has the simple ones, of one character each, and what a character folds to: letters
// that fold to several have those in the other case.
std::u32string in_case(char32_t code_point, Case which) {
  if (code_point < 0x80) return std::u32string(1, simple_case(code_point, which));
  if (which == Case::lower) {
    return code_point == U'İ' ? folded(code_point) : std::u32string(1, simple_case(code_point, which));
  }
  const char32_t simple = simple_case(code_point, which);
  const bool is_upper = category_of(code_point) == UTF8PROC_CATEGORY_LU;
  std::u32string several = is_upper ? std::u32string() : folded(code_point);
  const bool has_title = which == Case::title && category_of(simple) == UTF8PROC_CATEGORY_LT;
  if (several.size() < 2 || has_title) return std::u32string(1, simple);
  for (char32_t& letter : several) {
    const bool changes = simple_case(letter, which) != letter;
    letter = simple_case(letter, which);
    if (changes && which == Case::title) break;  // of a word's beginning only the first letter
  }
  return several;
}

// Signs that may stand in a word without parting it, such as accents and apostrophes.
bool is_ignored_in_words(char32_t code_point) {
  static constexpr std::u32string_view kSigns = U"'.:^`¨¯´·¸·՟״‘’․‧︓﹒﹕＇．：";
  if (kSigns.find(code_point) != std::u32string_view::npos) return true;
  switch (category_of(code_point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return false;
  }
}

// Whether the sigma at `position` ends a word: a cased letter is before it, and none behind.
bool ends_word(const std::string& bytes, size_t position) {
  bool before = false;
  for (size_t at = position; at > 0 && !before;) {
    do --at;
    while (at > 0 && (static_cast<unsigned char>(bytes[at]) & 0xC0U) == 0x80);
    const char32_t code_point = utf8_at(bytes, at).code_point;
    before = is_cased(code_point) && !is_ignored_in_words(code_point);
    if (!before && !is_ignored_in_words(code_point)) return false;
  }
  if (!before) return false;
  for (size_t at = position + utf8_at(bytes, position).length; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    if (!is_ignored_in_words(character.code_point)) return !is_cased(character.code_point);
    at += character.length;
  }
  return true;
}

void append_in_case(Text& out, const Text& text, size_t position, const Utf8Char& character, Case which) {
  if (character.kind != Utf8Char::Kind::valid) return out.append(text, position, position + character.length);
  std::string bytes;
  if (which == Case::lower && character.code_point == U'Σ') {
    append_utf8(bytes, ends_word(text.bytes(), position) ? U'ς' : U'σ');
  } else {
    for (const char32_t code_point : in_case(character.code_point, which)) append_utf8(bytes, code_point);
  }
  out.append(bytes, text.from_data(position));
}

// `choose(index, code_point)` gives the case of each character.
template <class Choose>
Text in_cases(const Text& text, const Choose& choose) {
  Text out;
  const std::string& bytes = text.bytes();
  for (size_t position = 0, index = 0; position < bytes.size(); ++index) {
    const Utf8Char character = utf8_at(bytes, position);
    append_in_case(out, text, position, character, choose(index, character.code_point));
    position += character.length;
  }
  return out;
}

}  // namespace

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_letter(char32_t code_point) {
  const auto category = category_of(code_point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t code_point) { return category_of(code_point) == UTF8PROC_CATEGORY_ND; }

bool is_digit(char32_t c) {
  const bool raised_or_lowered = c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
                                 (c >= 0x2080 && c <= 0x2089);
  const bool in_circle = (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247C) || (c >= 0x2488 && c <= 0x2490);
  return raised_or_lowered || in_circle || is_decimal(c);
}

bool is_numeric(char32_t code_point) {
  const auto category = category_of(code_point);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_cased(char32_t code_point) {
  const auto category = category_of(code_point);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT;
}

bool is_printable(char32_t code_point) {
  if (code_point == ' ') return true;
  switch (category_of(code_point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool is_name_character(char32_t code_point) {
  if (code_point == U'_' || is_letter(code_point) || is_numeric(code_point)) return true;
  const auto category = category_of(code_point);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_PC;
}

Text to_case(const Text& text, Case which) {
  return in_cases(text, [which](size_t, char32_t) { return which; });
}

bool is_all_in_case(const Text& text, Case which) {
  bool any = false;
  const std::string& bytes = text.bytes();
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    const char32_t code = character.code_point;
    if (is_cased(code)) {
      any = true;
      const auto wanted = which == Case::upper ? UTF8PROC_CATEGORY_LU : UTF8PROC_CATEGORY_LL;
      if (category_of(code) != wanted) return false;
    }
    at += character.length;
  }
  return any;
}

Text to_title(const Text& text) {
  bool after_cased = false;
  return in_cases(text, [&after_cased](size_t, char32_t code_point) {
    const Case which = after_cased ? Case::lower : Case::title;
    after_cased = is_cased(code_point);
    return which;
  });
}

Text to_capitalized(const Text& text) {
  return in_cases(text, [](size_t index, char32_t) { return index == 0 ? Case::title : Case::lower; });
}

Text to_swapped_case(const Text& text) {
  return in_cases(text, [](size_t, char32_t code_point) {
    return category_of(code_point) == UTF8PROC_CATEGORY_LU ? Case::lower : Case::upper;
  });
}

Text to_folded_case(const Text& text) {
  Text out;
  const std::string& bytes = text.bytes();
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    std::string changed = bytes.substr(at, character.length);
    if (character.kind == Utf8Char::Kind::valid) {
      changed.clear();
      for (const char32_t code_point : folded(character.code_point)) append_utf8(changed, code_point);
    }
    out.append(changed, text.from_data(at));
    at += character.length;
  }
  return out;
}

Range strip_range(const std::string& bytes, const std::string* characters, bool left, bool right) {
  std::vector<char32_t> wanted;
  for (size_t at = 0; characters != nullptr && at < characters->size();) {
    const Utf8Char character = utf8_at(*characters, at);
    wanted.push_back(character.code_point);
    at += character.length;
  }
  const auto goes = [&](size_t position) {
    const char32_t code_point = utf8_at(bytes, position).code_point;
    if (characters == nullptr) return is_space(code_point);
    return std::find(wanted.begin(), wanted.end(), code_point) != wanted.end();
  };
  Range range = {0, bytes.size()};
  while (left && range.begin < range.end && goes(range.begin)) range.begin += utf8_at(bytes, range.begin).length;
  while (right && range.begin < range.end) {
    size_t last = range.end - 1;
    while (last > range.begin && (static_cast<unsigned char>(bytes[last]) & 0xC0U) == 0x80) --last;
    if (!goes(last)) break;
    range.end = last;
  }
  return range;
}

std::vector<size_t> character_starts(const std::string& bytes) {
  std::vector<size_t> starts;
  for (size_t position = 0; position < bytes.size(); position += utf8_at(bytes, position).length) {
    starts.push_back(position);
  }
  starts.push_back(bytes.size());
  return starts;
}

}  // namespace emelex::jinja
