#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace emelex {

// What stands at a place in a string: a character, or bytes that are none.
struct Utf8Char {
  enum class Kind {
    valid,
    invalid,     // `length` bytes that no continuation can make a character
    incomplete,  // the string ends within what may become a character
  };
  Kind kind;
  char32_t code_point;  // U+FFFD unless valid
  size_t length;        // at least 1. Not valid: the "maximal subpart" of Unicode 3.9, which becomes one U+FFFD
};

// Looks at the character that begins at `position`, which must be inside `text`.
Utf8Char utf8_at(std::string_view text, size_t position);

// The length of the longest beginning of `text` that is valid UTF-8.
size_t valid_utf8_prefix(std::string_view text);

// Where the character begins that ends just before `position`, which must be above 0 and a character's beginning.
// A byte that is part of none counts as one.
size_t utf8_before(std::string_view text, size_t position);

// How many characters `text` has; each byte that is not part of one counts as one.
size_t utf8_length(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace emelex
