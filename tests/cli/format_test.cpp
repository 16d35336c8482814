#include "cli/format.h"

#include <doctest/doctest.h>

using namespace emelex::cli;

TEST_CASE("sizes and counts are written for people") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(98362432) == "98.4 MB");
  CHECK(human_bytes(999999) == "1.0 MB");
  CHECK(human_count(134515008) == "134.5M");
}

TEST_CASE("escaped bytes are printable and lose nothing") {
  CHECK(escape_bytes("a\"\\\n\t") == "\"a\\\"\\\\\\n\\t\"");
  CHECK(escape_bytes("h\xc3\xa9") == "\"h\xc3\xa9\"");
  CHECK(escape_bytes("\xc3") == "\"\\xc3\"");
  CHECK(escape_bytes("\xed\xa0\x80") == "\"\\xed\\xa0\\x80\"");  // half of a surrogate pair
  CHECK(escape_bytes(std::string_view("\0\x1b", 2)) == "\"\\x00\\x1b\"");
}

TEST_CASE("no character that a terminal acts upon gets through") {
  CHECK(escape_bytes("\xc2\x9b"
                     "2J") == "\"\\xc2\\x9b2J\"");               // what ESC [ is in one character
  CHECK(escape_bytes("\xe2\x80\xae") == "\"\\xe2\\x80\\xae\"");  // from here on written from right to left
  CHECK(printable_lines("a\tb\n\x1b[2J\r\x7f\xc3") == "a\tb\n\\x1b[2J\\x0d\\x7f\\xc3");
  CHECK(one_line("\xc2\x9b"
                 "2J \xe2\x80\xae \x9b") == "??2J ??? ?");
  CHECK(one_line("\xe6\x97\xa5\xe6\x9c\xac") == "\xe6\x97\xa5\xe6\x9c\xac");
}

TEST_CASE("a message stays on its line") { CHECK(one_line("a\nb\x1b[0m") == "a?b?[0m"); }
