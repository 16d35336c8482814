#include "cli/terminal_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "cli/format.h"

namespace emelex::cli {
namespace {

std::string filtered(std::string_view text, size_t piece) {
  TerminalFilter filter;
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) out += filter.add(text.substr(at, piece));
  return out + filter.finish();
}

TEST_CASE("text, lines and tabs pass, however they are cut") {
  const std::string text = "a\tb\n\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \xD7\xA9\xE2\x80\x8F \xE4\xB8\xAD\n";
  for (size_t piece = 1; piece <= text.size(); ++piece) CHECK(filtered(text, piece) == text);
}

TEST_CASE("what a terminal acts upon comes out as text, however it is cut") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"},
      {"\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"},
      {"\x1bPq\x1b\\", "\\x1bPq\\x1b\\"},
      {"\x9b"
       "31m\x9d"
       "0;x\x9c",
       "\\x9b"
       "31m\\x9d"
       "0;x\\x9c"},
      {"\xC2\x9B"
       "31m",
       "\\xc2\\x9b"
       "31m"},
      {"a\rb\bc\x7f", "a\\x0db\\x08c\\x7f"},
      {"\xE2\x80\xAE"
       "gnp.exe",
       "\\xe2\\x80\\xae"
       "gnp.exe"},
      {"\xE2\x81\xA6x\xE2\x81\xA9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"},
      {"one\r\ntwo", "one\ntwo"},
      {"\xE2\x82", "\\xe2\\x82"},
      {"\xF0\x9F"
       "x",
       "\\xf0\\x9f"
       "x"},
      {"\x0e\x05\x00", "\\x0e\\x05"},
  };
  for (const auto& [text, wanted] : cases) {
    for (size_t piece = 1; piece <= text.size(); ++piece) {
      CAPTURE(wanted);
      CAPTURE(piece);
      CHECK(filtered(text, piece) == wanted);
    }
  }
}

TEST_CASE("JSON keeps its meaning and has nothing that a terminal acts upon") {
  CHECK(ascii_escapes("\"\xC2\x9B \xE2\x80\xAE \x7f \xC3\xA4 \xE2\x81\xA6\"") ==
        "\"\\u009b \\u202e \\u007f \xC3\xA4 \\u2066\"");
}

}  // namespace
}  // namespace emelex::cli
