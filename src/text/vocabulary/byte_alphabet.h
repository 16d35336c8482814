#pragma once

#include <string>
#include <string_view>

namespace emelex {

// GPT-2 writes the bytes of a token as printable characters: "Ġ" is a space. Appends the bytes that `text` stands for;
// false, and an unspecified rest, when a character of it stands for none.
bool append_byte_level(std::string_view text, std::string& bytes);

// The other way: appends the characters that stand for `bytes`.
void append_as_byte_level(std::string_view bytes, std::string& text);

}  // namespace emelex
