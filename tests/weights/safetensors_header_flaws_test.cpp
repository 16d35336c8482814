// One case for each way in which a SafeTensors file can lie.
#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "base/strings.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

void expect_corrupt(const std::string& file, std::initializer_list<std::string_view> parts) {
  expect_error(ErrorCode::corrupt_file, parts, [&] { (void)read_header(file); });
}

void expect_corrupt_header(const std::string& header, std::initializer_list<std::string_view> parts,
                           size_t n_data = 16) {
  CAPTURE(header);
  expect_corrupt(raw_safetensors(header, std::string(n_data, '\x11')), parts);
}

// A header with one tensor named "t".
std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return str_cat(R"({"t":{"dtype":)", dtype, R"(,"shape":)", shape, R"(,"data_offsets":)", offsets, "}}");
}

std::string length(uint64_t n) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>((n >> (8 * i)) & 0xFF);
  return out;
}

TEST_CASE("A file as the format has it is read") {
  const auto entries = read_header(safetensors({{"a", "F32", {2, 2}, std::string(16, 'a')},
                                                {"none", "F16", {0, 3}, ""},
                                                {"one", "I64", {}, std::string(8, 'b')},
                                                {"bits", "F4", {4}, "cc"}}));
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].name == "a");
  CHECK(entries[0].dtype == "F32");
  CHECK(entries[0].shape == std::vector<int64_t>{2, 2});
  CHECK(entries[0].data.size() == 16);
  CHECK(entries[1].data.empty());
  CHECK(entries[2].shape.empty());
  CHECK(entries[3].data.data() == entries[0].data.data() + 24);
  CHECK(read_header(raw_safetensors("{}      ", "")).empty());
}

TEST_CASE("Tensors are told apart by their offsets, not by their place in the header") {
  const auto entries = read_header(raw_safetensors(
      R"({"z":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"},"a":{"data_offsets":[4,8],"shape":[1],"dtype":"I32"}})",
      "zzzzaaaa"));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].name == "z");
  CHECK(entries[1].name == "a");
}

TEST_CASE("The header's length is not believed") {
  expect_corrupt("", {"length of the header", "tiny.safetensors"});
  expect_corrupt(std::string(7, '\0'), {"length of the header"});
  expect_corrupt(length(2) + "{", {"the header of 2 bytes", "only 1 bytes"});
  expect_corrupt(length(~uint64_t{0}) + "{}", {"at most 100000000 bytes"});
  expect_corrupt(length(uint64_t{1} << 63) + "{}", {"at most 100000000 bytes"});
  expect_corrupt(length(100'000'001) + "{}", {"at most 100000000 bytes"});
  expect_corrupt(length(100'000'000) + "{}", {"only 2 bytes"});
  expect_corrupt(length(0) + "{}", {"starts with '{'"});
}

TEST_CASE("A header that is no JSON object is refused") {
  expect_corrupt_header("[]", {"starts with '{'"});
  expect_corrupt_header(" {}", {"starts with '{'"});
  expect_corrupt_header("\xEF\xBB\xBF{}", {"starts with '{'"});
  expect_corrupt_header("{", {"JSON", "tiny.safetensors"});
  expect_corrupt_header("{} x", {"JSON"});
  expect_corrupt_header(std::string("{}\0", 3), {"JSON"});
  expect_corrupt_header("{\"\xFF\": 1}", {"JSON"});
  expect_corrupt_header("{\"t\": 1e999}", {"JSON"});
  expect_corrupt_header("{\"t\": NaN}", {"JSON"});
  expect_corrupt_header("{\"t\x1b[2J\": 1}", {"JSON"});
}

TEST_CASE("Depth and size of the header are bounded") {
  std::string deep = "{\"t\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  expect_corrupt_header(deep, {"3 levels"});
  std::string deep_objects = "{";
  for (int i = 0; i < 100'000; ++i) deep_objects += "\"a\":{";
  expect_corrupt_header(deep_objects, {"3 levels"});
  std::string many = "{\"t\":[0";
  for (int i = 0; i < 4'000'000; ++i) many += ",0";
  expect_corrupt_header(many + "]}", {"at most 4000000 values"});
}

TEST_CASE("A key that is there twice is refused") {
  const std::string tensor = R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})";
  expect_corrupt_header(str_cat("{\"t\":", tensor, ",\"t\":", tensor, "}"), {"'t' twice"});
  expect_corrupt_header(R"({"t":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"dtype":"F32"}})", {"'dtype' twice"});
  expect_corrupt_header(R"({"__metadata__":{},"__metadata__":{}})", {"twice"}, 0);
}

TEST_CASE("A tensor needs dtype, shape and offsets of their types") {
  expect_corrupt_header(R"({"t":[]})", {"'t'", "object"});
  expect_corrupt_header(R"({"t":{"shape":[4],"data_offsets":[0,16]}})", {"'t'", "dtype"});
  expect_corrupt_header(R"({"t":{"dtype":"F32","data_offsets":[0,16]}})", {"'t'", "shape"});
  expect_corrupt_header(R"({"t":{"dtype":"F32","shape":[4]}})", {"'t'", "data_offsets"});
  expect_corrupt_header(one("4", "[4]", "[0,16]"), {"'t'", "dtype"});
  expect_corrupt_header(one("\"" + std::string(40, 'F') + "\"", "[4]", "[0,16]"), {"'t'", "dtype"});
  expect_corrupt_header(one("\"F32\"", "4", "[0,16]"), {"'t'", "shape"});
  expect_corrupt_header(one("\"F32\"", "[4]", "16"), {"'t'", "data_offsets"});
  for (const char* wrong :
       {"[0]", "[0,8,16]", "[-1,16]", "[0,16.0]", "[0,\"16\"]", "[0,1e3]", "[0,null]", "[0,18446744073709551616]"}) {
    expect_corrupt_header(one("\"F32\"", "[4]", wrong), {"'t'", "data_offsets of two integers"});
  }
  for (const char* wrong : {"[-4]", "[4.0]", "[\"4\"]", "[null]", "[9223372036854775808]", "[18446744073709551616]"}) {
    expect_corrupt_header(one("\"F32\"", wrong, "[0,16]"), {"'t'", "dimensions from 0"});
  }
}

TEST_CASE("Dimensions whose product wraps are refused, whatever their number") {
  expect_corrupt_header(one("\"F32\"", "[4294967296,4294967296]", "[0,16]"), {"'t'", "overflow"});
  expect_corrupt_header(one("\"F32\"", "[4611686018427387905,4]", "[0,16]"), {"'t'", "overflow"});
  expect_corrupt_header(one("\"F32\"", "[9223372036854775807,2,0]", "[0,0]"), {"'t'", "overflow"});
  expect_corrupt_header(one("\"F32\"", "[4611686018427387904]", "[0,0]"), {"'t'", "below 2^61"});
  expect_corrupt_header(one("\"U8\"", "[2305843009213693952]", "[0,0]"), {"'t'", "below 2^61"});
  expect_corrupt_header(one("\"F4\"", "[3]", "[0,1]"), {"'t'", "whole bytes"});
  expect_corrupt_header(one("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), {"'t'", "at most 8 dimensions", "9"});
}

TEST_CASE("A tensor has as many bytes as its shape and dtype say") {
  expect_corrupt_header(one("\"F32\"", "[3]", "[0,16]"), {"12 bytes of F32", "'t'", "got 16"});
  expect_corrupt_header(one("\"F32\"", "[]", "[0,16]"), {"4 bytes of F32", "got 16"});
  expect_corrupt_header(one("\"BF16\"", "[0]", "[0,16]"), {"0 bytes of BF16", "got 16"});
  expect_corrupt_header(one("\"F64\"", "[4]", "[0,16]"), {"32 bytes of F64", "got 16"});
}

TEST_CASE("Data begins before it ends, within the file") {
  expect_corrupt_header(one("\"F32\"", "[4]", "[16,0]"), {"'t'", "begin before it ends"});
  expect_corrupt_header(one("\"F32\"", "[8]", "[0,32]"), {"'t'", "within 16 bytes", "downloaded"});
  expect_corrupt_header(one("\"F32\"", "[4]", "[18446744073709551600,18446744073709551615]"), {"'t'"});
  expect_corrupt_header(one("\"F32\"", "[4]", "[18446744073709551599,18446744073709551615]"), {"'t'"});
}

TEST_CASE("The tensors cover the data without overlap or hole") {
  const auto two = [](std::string_view first, std::string_view second) {
    return str_cat(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)", first,
                   R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)", second, "}}");
  };
  CHECK(read_header(raw_safetensors(two("[0,8]", "[8,16]"), std::string(16, 'x'))).size() == 2);
  expect_corrupt_header(two("[0,8]", "[4,12]"), {"'b'", "from 8", "got 4"});
  expect_corrupt_header(two("[0,8]", "[0,8]"), {"from 8", "got 0"});
  expect_corrupt_header(two("[0,8]", "[9,17]"), {"'b'", "from 8", "got 9"}, 17);
  expect_corrupt_header(two("[1,9]", "[9,17]"), {"'a'", "from 0", "got 1"}, 17);
  expect_corrupt_header(two("[0,8]", "[8,16]"), {"end with the file", "17", "got 16"}, 17);
  expect_corrupt_header("{}", {"end with the file", "1", "got 0"}, 1);
}

TEST_CASE("A dtype that nobody has heard of is left to whoever needs the tensor") {
  const auto entries = read_header(raw_safetensors(one("\"F3\"", "[7]", "[0,16]"), std::string(16, 'x')));
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].data.size() == 16);
}

TEST_CASE("Metadata are strings, names are short") {
  expect_corrupt_header(R"({"__metadata__":{"a":1}})", {"__metadata__", "strings"}, 0);
  expect_corrupt_header(R"({"__metadata__":[]})", {"__metadata__", "strings"}, 0);
  expect_corrupt_header("{\"" + std::string(513, 'n') + R"(":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                        {"at most 512 bytes"});
}

TEST_CASE("A name is shown so that it can't harm a terminal") {
  expect_corrupt_header(R"({"\u001b[2J\n\u00e4":{}})", {"'\\x1b[2J\\x0a\\xc3\\xa4'"});
}

}  // namespace
}  // namespace emelex
