#pragma once

#include <string>
#include <string_view>

namespace emelex {

// What Unicode says of a character, from utf8proc. Every function takes any number, and says no of what is none.

bool is_white_space(char32_t c);      // property White_Space
bool is_punctuation(char32_t c);      // categories P, and the signs of ASCII
bool is_mark(char32_t c);             // categories M
bool is_nonspacing_mark(char32_t c);  // category Mn
bool is_other(char32_t c);            // categories C but the unassigned: control, format, private
bool is_word_character(char32_t c);   // \w of regular expressions: letters, marks, digits, connectors
bool is_han(char32_t c);              // the ideographs that BERT makes words of

// Appends the lower case of `c`: in full, whatever is around it.
void append_lower(std::string& out, char32_t c);

// `text` in one of Unicode's normalization forms; bytes that are not valid UTF-8 stay as they are.
enum class NormalizationForm { nfc, nfd, nfkc, nfkd };
std::string normalized(std::string_view text, NormalizationForm form);

}  // namespace emelex
