#include "base/name_table.h"

#include <doctest/doctest.h>

#include "base/expect_error.h"

namespace emelex {
namespace {

TEST_CASE("A registry finds things by name and lists them in the order of names, however they were added") {
  NameTable<int> registry("number");
  CHECK(registry.names().empty());
  registry.add("two", 2);
  registry.add("one", 1);
  registry.add("three", 3);
  CHECK(registry.names() == "one, three, two");
  REQUIRE(registry.find("two") != nullptr);
  CHECK(*registry.find("two") == 2);
  CHECK(registry.find("four") == nullptr);
  CHECK(registry.find("") == nullptr);
}

TEST_CASE("A registry refuses a name that is taken, and keeps what has it") {
  NameTable<int> registry("number");
  registry.add("one", 1);
  expect_error(ErrorCode::internal, {"each number once", "'one'"}, [&] { registry.add("one", 7); });
  CHECK(*registry.find("one") == 1);
}

}  // namespace
}  // namespace emelex
