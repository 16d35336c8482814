#include "base/json_document.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace emelex;

TEST_CASE("values, arrays and objects are written in the order in which they were added") {
  JsonDocument list = JsonDocument::array();
  list.push_back(nullptr);
  list.push_back(true);
  list.push_back(-7);
  list.push_back(UINT64_MAX);
  list.push_back(0.5F);
  list.push_back({{"z", "text"}, {"a", {{"b", std::string("c")}}}});
  CHECK(list.text() == R"([null,true,-7,18446744073709551615,0.5,{"z":"text","a":{"b":"c"}}])");
  CHECK(JsonDocument::array().text() == "[]");
  CHECK(JsonDocument::object().text() == "{}");
  CHECK(JsonDocument({{"a", 1}}).text(2) == "{\n  \"a\": 1\n}");
}

TEST_CASE("vectors are arrays, and an optional value that is not there is null") {
  CHECK(JsonDocument(std::vector<bool>{true, false}).text() == "[true,false]");
  CHECK(JsonDocument(std::vector<std::string>{"a", "b"}).text() == R"(["a","b"])");
  CHECK(JsonDocument(std::optional<int>()).text() == "null");
  CHECK(JsonDocument(std::optional<int>(3)).text() == "3");
}

TEST_CASE("a member that is set again keeps its place, and documents are copied whole") {
  JsonDocument json = {{"a", 1}, {"b", 2}};
  const JsonDocument copy = json;
  json.set("a", JsonDocument::array());
  json.set("c", 3);
  CHECK(json.text() == R"({"a":[],"b":2,"c":3})");
  CHECK(copy.text() == R"({"a":1,"b":2})");
}

TEST_CASE("what JSON has no text for becomes null or U+FFFD") {
  CHECK(JsonDocument(std::nan("")).text() == "null");
  CHECK(JsonDocument("a\xFF").text() == "\"a\xEF\xBF\xBD\"");
  CHECK(JsonDocument("\xC3\xA4").text(-1, true) == "\"\\u00e4\"");
}
