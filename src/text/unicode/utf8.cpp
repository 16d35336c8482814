#include "text/unicode/utf8.h"

#include <cstring>

namespace emelex {
namespace {

// What may follow a lead byte: how many continuation bytes, and the bounds of the first, which exclude overlong forms,
// surrogates, and what lies past U+10FFFF (Unicode 15, table 3-7).
struct Lead {
  int continuations;
  unsigned char least;
  unsigned char most;
};

Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  return {0, 0, 0};
}

bool eight_ascii_at(std::string_view text, size_t position) {
  if (text.size() - position < 8) return false;
  uint64_t eight;
  std::memcpy(&eight, text.data() + position, 8);
  return (eight & 0x8080808080808080U) == 0;
}

}  // namespace

Utf8Char utf8_at(std::string_view text, size_t position) {
  const auto byte_at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte_at(position);
  if (first < 0x80) return {Utf8Char::Kind::valid, first, 1};
  const Lead lead = lead_of(first);
  if (lead.continuations == 0) return {Utf8Char::Kind::invalid, 0xFFFD, 1};

  char32_t code_point = first & (0x3FU >> lead.continuations);
  for (int i = 1; i <= lead.continuations; ++i) {
    const size_t at = position + static_cast<size_t>(i);
    if (at == text.size()) return {Utf8Char::Kind::incomplete, 0xFFFD, static_cast<size_t>(i)};
    const unsigned char next = byte_at(at);
    const bool fits = i == 1 ? next >= lead.least && next <= lead.most : (next & 0xC0U) == 0x80;
    if (!fits) return {Utf8Char::Kind::invalid, 0xFFFD, static_cast<size_t>(i)};
    code_point = (code_point << 6U) | (next & 0x3FU);
  }
  return {Utf8Char::Kind::valid, code_point, static_cast<size_t>(lead.continuations) + 1};
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    if (eight_ascii_at(text, position)) {
      position += 8;
      continue;
    }
    const Utf8Char character = utf8_at(text, position);
    if (character.kind != Utf8Char::Kind::valid) break;
    position += character.length;
  }
  return position;
}

size_t utf8_before(std::string_view text, size_t position) {
  for (size_t length = 1; length <= 4 && length <= position; ++length) {
    const size_t begin = position - length;
    if ((static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) continue;
    const Utf8Char character = utf8_at(text, begin);
    if (character.kind == Utf8Char::Kind::valid && character.length == length) return begin;
    break;
  }
  return position - 1;
}

size_t utf8_length(std::string_view text) {
  size_t count = 0;
  for (size_t position = 0; position < text.size(); ++count) {
    const Utf8Char character = utf8_at(text, position);
    position += character.kind == Utf8Char::Kind::valid ? character.length : 1;
  }
  return count;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto append = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    append(code_point);
  } else if (code_point < 0x800) {
    append(0xC0U | (code_point >> 6U));
    append(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000) {
    append(0xE0U | (code_point >> 12U));
    append(0x80U | ((code_point >> 6U) & 0x3FU));
    append(0x80U | (code_point & 0x3FU));
  } else {
    append(0xF0U | (code_point >> 18U));
    append(0x80U | ((code_point >> 12U) & 0x3FU));
    append(0x80U | ((code_point >> 6U) & 0x3FU));
    append(0x80U | (code_point & 0x3FU));
  }
}

}  // namespace emelex
