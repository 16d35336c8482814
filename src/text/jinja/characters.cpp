#include "text/jinja/characters.h"

#include <utf8proc.h>

#include <algorithm>

#include "text/utf8.h"

namespace emelex::jinja {
namespace {

utf8proc_category_t category_of(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

void append_in_case(Text& out, const Text& text, size_t position, const Utf8Char& character, Case which) {
  if (character.kind != Utf8Char::Kind::valid) return out.append(text, position, position + character.length);
  std::string bytes;
  if (which == Case::upper && character.code_point == U'ß') {
    bytes = "SS";
  } else {
    const auto code = static_cast<utf8proc_int32_t>(character.code_point);
    append_utf8(bytes, static_cast<char32_t>(which == Case::upper ? utf8proc_toupper(code) : utf8proc_tolower(code)));
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

bool is_digit(char32_t code_point) { return category_of(code_point) == UTF8PROC_CATEGORY_ND; }

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

Text to_case(const Text& text, Case which) {
  return in_cases(text, [which](size_t, char32_t) { return which; });
}

Text to_title(const Text& text) {
  bool after_cased = false;
  return in_cases(text, [&after_cased](size_t, char32_t code_point) {
    const Case which = after_cased ? Case::lower : Case::upper;
    after_cased = is_cased(code_point);
    return which;
  });
}

Text to_capitalized(const Text& text) {
  return in_cases(text, [](size_t index, char32_t) { return index == 0 ? Case::upper : Case::lower; });
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
