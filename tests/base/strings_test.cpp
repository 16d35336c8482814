#include "base/strings.h"

#include <doctest/doctest.h>

namespace emelex {
namespace {

TEST_CASE("str_cat joins texts and numbers") { CHECK(str_cat("a", 1, 'b', 2.5) == "a1b2.5"); }

TEST_CASE("Quoted bytes are printable and short whatever they were") {
  CHECK(quote_bytes("abc") == "'abc'");
  CHECK(quote_bytes("a\n\x1b[2J\xff") == "'a\\x0a\\x1b[2J\\xff'");
  CHECK(quote_bytes(std::string(1000, 'a')).size() < 100);
}

}  // namespace
}  // namespace emelex
