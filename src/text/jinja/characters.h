#pragma once

#include <string>

#include "text/jinja/text.h"

namespace emelex::jinja {

// Python's view of characters.
bool is_space(char32_t code_point);      // str.isspace
bool is_letter(char32_t code_point);     // str.isalpha
bool is_decimal(char32_t code_point);    // str.isdecimal
bool is_digit(char32_t code_point);      // str.isdigit: superscripts and the like as well
bool is_numeric(char32_t code_point);    // str.isnumeric, but for ideographs that stand for numbers
bool is_cased(char32_t code_point);      // has an upper and a lower form
bool is_printable(char32_t code_point);  // str.isprintable

// Whether Jinja takes it for a part of a name.
bool is_name_character(char32_t code_point);

enum class Case { upper, lower, title };

// `text` with each character in that case, which may make several of one (ß: SS); a Greek sigma at the end of a word
// has a small letter of its own.
Text to_case(const Text& text, Case which);

// str.isupper and str.islower: there is a cased character, and all of them are in that case.
bool is_all_in_case(const Text& text, Case which);

Text to_title(const Text& text);         // str.title: letters after letters are lower, others begin a word
Text to_capitalized(const Text& text);   // str.capitalize
Text to_swapped_case(const Text& text);  // str.swapcase
Text to_folded_case(const Text& text);   // str.casefold

// Where str.strip() with `characters` (empty: white space) would cut; by bytes.
struct Range {
  size_t begin;
  size_t end;
};
Range strip_range(const std::string& bytes, const std::string* characters, bool left, bool right);

// The byte at which each character begins, and the end.
std::vector<size_t> character_starts(const std::string& bytes);

}  // namespace emelex::jinja
