#include "text/vocabulary/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "text/unicode/utf8.h"

namespace emelex {
namespace {

// Printable Latin-1 characters stand for themselves; the 68 other bytes, in order, are the characters from U+0100.
constexpr size_t kByteCharacters = 256 + 68;

constexpr bool is_printable(size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

// The byte that a character stands for, or -1.
constexpr std::array<int16_t, kByteCharacters> make_byte_of_character() {
  std::array<int16_t, kByteCharacters> table{};
  table.fill(-1);
  size_t next = 256;
  for (size_t byte = 0; byte < 256; ++byte) table[is_printable(byte) ? byte : next++] = static_cast<int16_t>(byte);
  return table;
}

constexpr std::array<char32_t, 256> make_character_of_byte() {
  std::array<char32_t, 256> table{};
  char32_t next = 256;
  for (size_t byte = 0; byte < 256; ++byte) table[byte] = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
  return table;
}

constexpr auto kByteOfCharacter = make_byte_of_character();
constexpr auto kCharacterOfByte = make_character_of_byte();

}  // namespace

bool append_byte_level(std::string_view text, std::string& bytes) {
  for (size_t position = 0; position < text.size();) {
    const Utf8Char character = utf8_at(text, position);
    if (character.kind != Utf8Char::Kind::valid || character.code_point >= kByteCharacters) return false;
    const int byte = kByteOfCharacter[character.code_point];
    if (byte < 0) return false;
    bytes.push_back(static_cast<char>(byte));
    position += character.length;
  }
  return true;
}

void append_as_byte_level(std::string_view bytes, std::string& text) {
  for (const char byte : bytes) append_utf8(text, kCharacterOfByte[static_cast<unsigned char>(byte)]);
}

}  // namespace emelex
