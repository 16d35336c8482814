#include "base/strings.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <sstream>

namespace emelex {
namespace {

TEST_CASE("str_cat joins texts and numbers") {
  const std::string text = "text";
  CHECK(str_cat("a", 1, 'b', 2.5) == "a1b2.5");
  CHECK(str_cat(text, std::string_view(text).substr(1, 2), "", true, false) == "textex10");
  CHECK(str_cat() == "");
}

TEST_CASE("str_cat writes numbers as streams do") {
  const auto streamed = [](const auto& x) {
    std::ostringstream out;
    out << x;
    return out.str();
  };
  for (const double x :
       {0.0, -0.0, 1.0, 0.1, 1.0 / 3, 123456.0, 1234567.0, 1e-5, 1e21, 5e-324, 1.7976931348623157e308}) {
    CHECK(str_cat(x) == streamed(x));
    CHECK(str_cat(static_cast<float>(x)) == streamed(static_cast<float>(x)));
  }
  CHECK(str_cat(std::numeric_limits<double>::infinity()) == streamed(std::numeric_limits<double>::infinity()));
  CHECK(str_cat(std::numeric_limits<int64_t>::min()) == streamed(std::numeric_limits<int64_t>::min()));
  CHECK(str_cat(std::numeric_limits<uint64_t>::max()) == streamed(std::numeric_limits<uint64_t>::max()));
  CHECK(str_cat(size_t{7}, -7, 7U, static_cast<short>(-3)) == "7-77-3");
}

TEST_CASE("Quoted bytes are printable and short whatever they were") {
  CHECK(quote_bytes("abc") == "'abc'");
  CHECK(quote_bytes("a\n\x1b[2J\xff") == "'a\\x0a\\x1b[2J\\xff'");
  CHECK(quote_bytes(std::string(1000, 'a')).size() < 100);
}

}  // namespace
}  // namespace emelex
