#pragma once

#include <string>

#include "text/jinja/text.h"

namespace emelex::jinja {

// Python's view of characters.
bool is_space(char32_t code_point);      // str.isspace
bool is_letter(char32_t code_point);     // str.isalpha
bool is_digit(char32_t code_point);      // str.isdecimal
bool is_cased(char32_t code_point);      // has an upper and a lower form
bool is_printable(char32_t code_point);  // str.isprintable

enum class Case { upper, lower };

// `text` with each character in that case. ß becomes SS; other characters become one character each.
Text to_case(const Text& text, Case which);

// str.title: letters after letters are lower, others upper. str.capitalize: the first upper, the rest lower.
Text to_title(const Text& text);
Text to_capitalized(const Text& text);

// Where str.strip() with `characters` (empty: white space) would cut; by bytes.
struct Range {
  size_t begin;
  size_t end;
};
Range strip_range(const std::string& bytes, const std::string* characters, bool left, bool right);

// The byte at which each character begins, and the end.
std::vector<size_t> character_starts(const std::string& bytes);

}  // namespace emelex::jinja
