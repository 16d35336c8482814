#include "weights/metadata.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"

namespace emelex {
namespace {

Metadata example() {
  Metadata metadata("model.gguf");
  metadata.add("int", int64_t{-3});
  metadata.add("uint", uint64_t{7});
  metadata.add("huge", std::numeric_limits<uint64_t>::max());
  metadata.add("float", 2.5);
  metadata.add("yes", true);
  metadata.add("text", std::string("hello"));
  metadata.add("ints", std::vector<int64_t>{-1, 2});
  metadata.add("uints", std::vector<uint64_t>{1, 2});
  metadata.add("huges", std::vector<uint64_t>{std::numeric_limits<uint64_t>::max()});
  metadata.add("floats", std::vector<double>{0.5});
  metadata.add("texts", std::vector<std::string>{"a", "b"});
  return metadata;
}

TEST_CASE("An integer of either sign can be asked for as an integer or a number") {
  const Metadata metadata = example();
  CHECK(metadata.integer("int") == -3);
  CHECK(metadata.integer("uint") == 7);
  CHECK(metadata.number("int") == -3.0);
  CHECK(metadata.number("uint") == 7.0);
  CHECK(metadata.number("float") == 2.5);
  CHECK(metadata.boolean("yes") == true);
  CHECK(metadata.string("text") == "hello");
}

TEST_CASE("Arrays of integers and numbers convert in the same way") {
  const Metadata metadata = example();
  CHECK(metadata.integers("ints") == std::vector<int64_t>{-1, 2});
  CHECK(metadata.integers("uints") == std::vector<int64_t>{1, 2});
  CHECK(metadata.numbers("ints") == std::vector<double>{-1, 2});
  CHECK(metadata.numbers("uints") == std::vector<double>{1, 2});
  CHECK(metadata.numbers("floats") == std::vector<double>{0.5});
  CHECK(metadata.strings("texts")->size() == 2);
}

TEST_CASE("A key that is missing gives nothing, and an error where it is required") {
  const Metadata metadata = example();
  CHECK(!metadata.contains("none"));
  CHECK(metadata.find("none") == nullptr);
  CHECK(!metadata.integer("none"));
  CHECK(!metadata.number("none"));
  CHECK(!metadata.boolean("none"));
  CHECK(!metadata.string("none"));
  CHECK(metadata.strings("none") == nullptr);
  CHECK(!metadata.integers("none"));
  CHECK(!metadata.numbers("none"));
  const auto parts = {std::string_view("'none'"), std::string_view("no such key"), std::string_view("model.gguf")};
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)metadata.require_integer("none", 0, 1); });
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)metadata.require_number("none"); });
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)metadata.require_string("none"); });
}

TEST_CASE("A value of another type is an error that names key, both types and file") {
  const Metadata metadata = example();
  const ErrorCode code = ErrorCode::corrupt_file;
  expect_error(code, {"'text'", "an integer", "a string", "model.gguf"}, [&] { (void)metadata.integer("text"); });
  expect_error(code, {"'float'", "an integer", "a number"}, [&] { (void)metadata.integer("float"); });
  expect_error(code, {"'yes'", "an integer", "a boolean"}, [&] { (void)metadata.integer("yes"); });
  expect_error(code, {"'text'", "a number", "a string"}, [&] { (void)metadata.number("text"); });
  expect_error(code, {"'uint'", "a boolean", "an unsigned integer"}, [&] { (void)metadata.boolean("uint"); });
  expect_error(code, {"'ints'", "a string", "an array of integers"}, [&] { (void)metadata.string("ints"); });
  expect_error(code, {"'ints'", "an array of strings"}, [&] { (void)metadata.strings("ints"); });
  expect_error(code, {"'floats'", "an array of integers"}, [&] { (void)metadata.integers("floats"); });
  expect_error(code, {"'texts'", "an array of numbers"}, [&] { (void)metadata.numbers("texts"); });
}

TEST_CASE("An unsigned number that does not fit is an error, never a negative number") {
  const Metadata metadata = example();
  const std::string_view huge = "18446744073709551615";
  expect_error(ErrorCode::corrupt_file, {"'huge'", huge}, [&] { (void)metadata.integer("huge"); });
  expect_error(ErrorCode::corrupt_file, {"'huges'", huge}, [&] { (void)metadata.integers("huges"); });
}

TEST_CASE("A required integer must lie within its bounds") {
  const Metadata metadata = example();
  CHECK(metadata.require_integer("uint", 7, 7) == 7);
  expect_error(ErrorCode::corrupt_file, {"'uint'", "from 8 to 9", "got 7", "model.gguf"},
               [&] { (void)metadata.require_integer("uint", 8, 9); });
  expect_error(ErrorCode::corrupt_file, {"'int'", "from 0 to 9", "got -3"},
               [&] { (void)metadata.require_integer("int", 0, 9); });
}

TEST_CASE("A key can be added once") {
  Metadata metadata = example();
  expect_error(ErrorCode::corrupt_file, {"'text'", "twice", "model.gguf"},
               [&] { metadata.add("text", std::string("again")); });
  CHECK(metadata.string("text") == "hello");
}

}  // namespace
}  // namespace emelex
