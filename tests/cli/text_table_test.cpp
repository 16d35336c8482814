#include "cli/text_table.h"

#include <doctest/doctest.h>

using namespace emelex::cli;

TEST_CASE("columns are as wide as their widest cell, in characters") {
  CHECK(text_table({{"NAME", "BYTES"}, {"é×", "7"}, {"abcdef", "1234567"}}, {1}) ==
        "NAME      BYTES\n"
        "é×            7\n"
        "abcdef  1234567\n");
}

TEST_CASE("the last column is not filled up") { CHECK(text_table({{"a", "bcd"}, {"ef", ""}}) == "a   bcd\nef  \n"); }
