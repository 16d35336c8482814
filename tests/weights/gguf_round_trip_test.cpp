#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "quant/dequantize.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/tiny_gguf.h"

namespace emelex {
namespace {

std::string bytes_of(const GgufWriter& file) {
  const std::vector<std::byte> bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
void check_extremes(const Metadata& metadata, const std::string& name) {
  using Limits = std::numeric_limits<T>;
  using Wide = std::conditional_t<std::is_floating_point_v<T>, double,
                                  std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
  INFO(name);
  CHECK(std::get<Wide>(*metadata.find(name + ".least")) == static_cast<Wide>(Limits::lowest()));
  CHECK(std::get<Wide>(*metadata.find(name + ".most")) == static_cast<Wide>(Limits::max()));
  const std::vector<Wide> array = {Limits::lowest(), 1, Limits::max()};
  CHECK(std::get<std::vector<Wide>>(*metadata.find(name + ".array")) == array);
}

TEST_CASE("Metadata of every type is read as it was written, in versions 2 and 3") {
  for (const uint32_t version : {2U, 3U}) {
    CAPTURE(version);
    const auto weights = read_bytes(complete_gguf(version));
    const Metadata& metadata = weights->metadata();
    CHECK(metadata.require_string("general.architecture") == "tiny");
    check_extremes<uint8_t>(metadata, "u8");
    check_extremes<int8_t>(metadata, "i8");
    check_extremes<uint16_t>(metadata, "u16");
    check_extremes<int16_t>(metadata, "i16");
    check_extremes<uint32_t>(metadata, "u32");
    check_extremes<int32_t>(metadata, "i32");
    check_extremes<uint64_t>(metadata, "u64");
    check_extremes<int64_t>(metadata, "i64");
    check_extremes<float>(metadata, "f32");
    check_extremes<double>(metadata, "f64");
    CHECK(metadata.boolean("yes") == true);
    CHECK(metadata.boolean("no") == false);
    CHECK(std::get<std::vector<bool>>(*metadata.find("answers")) == std::vector<bool>{true, false, true});
    CHECK(*metadata.strings("words") == std::vector<std::string>{"", "a", std::string("\0\xFF\n", 3)});
    CHECK(metadata.strings("nothing")->empty());
  }
}

TEST_CASE("Metadata read from one file is written to another in the same bytes") {
  const auto first = read_bytes(complete_gguf(3));
  const auto copy_of = [](const Metadata& metadata) {
    GgufWriter copy;
    for (const auto& [key, value] : metadata.values()) copy.add_value(key, value, metadata.width(key));
    return bytes_of(copy);
  };
  const std::string once = copy_of(first->metadata());
  const auto second = read_bytes(once);
  CHECK(second->metadata().values() == first->metadata().values());
  for (const auto& [key, value] : first->metadata().values()) {
    CAPTURE(key);
    CHECK(second->metadata().width(key) == first->metadata().width(key));
  }
  CHECK(first->metadata().width("u16.array") == 2);
  CHECK(copy_of(second->metadata()) == once);
}

TEST_CASE("A file with declared tensors is the one with their data added") {
  GgufWriter whole;
  GgufWriter declared;
  const std::vector<std::pair<std::string, int64_t>> tensors = {{"a", 3}, {"b", 40}, {"c", 1}};
  for (const auto& [name, n] : tensors) {
    whole.add_tensor(name, TensorType::f32, {n}, std::vector<float>(static_cast<size_t>(n), 1.5F));
    declared.declare_tensor(name, TensorType::f32, {n});
  }
  const std::vector<std::byte> header = declared.header();
  std::string out(reinterpret_cast<const char*>(header.data()), header.size());
  for (const auto& [name, n] : tensors) {
    for (int64_t i = 0; i < n; ++i) out += std::string("\0\0\xC0\x3F", 4);
    out += std::string(declared.padding(static_cast<size_t>(4 * n)), '\0');
  }
  CHECK(out == bytes_of(whole));
}

TEST_CASE("Tensors of every type are read as they were written, at every alignment") {
  for (const uint32_t alignment : {8U, 32U, 64U, 4096U}) {
    CAPTURE(alignment);
    const auto weights = read_bytes(complete_gguf(3, alignment));
    CHECK(weights->find("q4_0")->shape == std::vector<int64_t>{2, 32});
    CHECK(weights->find("q4_1")->shape == std::vector<int64_t>{2, 1, 32});
    CHECK(weights->find("q8_0")->shape == std::vector<int64_t>{1, 2, 1, 32});
    CHECK(weights->find("f16")->rows() == 1);
    CHECK(weights->find("f16")->columns() == 64);
    CHECK(weights->find("bf16")->rows() == 8);
    for (const auto& [name, tensor] : weights->tensors()) {
      CAPTURE(name);
      CHECK(tensor.name == name);
      std::vector<float> values(64);
      dequantize(tensor.type, tensor.data, values);
      for (size_t i = 0; i < values.size(); ++i) CHECK(std::abs(values[i] - (static_cast<float>(i) / 8 - 4)) < 0.51F);
      CHECK(std::abs(values[0] + 4.0F) < 0.001F);
    }
  }
}

TEST_CASE("A file's dimensions, innermost first, become a shape with the outermost first") {
  const auto weights = read_bytes(RawGguf().header(1, 0).tensor("t", {5, 3, 2}, 0, 0).data(120));
  CHECK(weights->find("t")->shape == std::vector<int64_t>{2, 3, 5});
  CHECK(weights->find("t")->rows() == 3);
  CHECK(weights->find("t")->columns() == 5);
}

TEST_CASE("A file may hold metadata alone, with nothing after it") {
  const auto weights = read_bytes(RawGguf().header(0, 1).key("k", GgufType::uint8).number(uint8_t{9}));
  CHECK(weights->metadata().integer("k") == 9);
  CHECK(weights->tensors().empty());
  CHECK(read_bytes(RawGguf().header(0, 0))->metadata().values().empty());
}

TEST_CASE("The last tensor's padding may be missing") {
  CHECK(read_bytes(RawGguf().header(1, 0).tensor("t", {3}, 0, 0).data(12))->find("t")->data.size() == 12);
}

TEST_CASE("A written file is opened from the disk") {
  const TemporaryFolder folder;
  GgufWriter file;
  file.add_tensor("t", TensorType::f32, {2}, std::vector<float>{1, 2});
  file.write(folder.path() / "model.gguf");
  CHECK(open_weights(folder.path() / "model.gguf")->find("t")->columns() == 2);
  expect_error(ErrorCode::io, {"none/model.gguf"}, [&] { file.write(folder.path() / "none/model.gguf"); });
}

// The type that a value got in the file.
uint32_t written_type(const Metadata::Value& value, size_t skip = 0) {
  GgufWriter file;
  file.add_value("the key", value);
  const std::string bytes = bytes_of(file);
  return static_cast<uint8_t>(bytes[bytes.find("the key") + 7 + skip]);
}

TEST_CASE("Values without a type of their own get the narrowest of the usual ones that holds them") {
  CHECK(written_type(uint64_t{5}) == 4);
  CHECK(written_type(uint64_t{1} << 32) == 10);
  CHECK(written_type(int64_t{-5}) == 5);
  CHECK(written_type(int64_t{-1} << 40) == 11);
  CHECK(written_type(0.5) == 6);
  CHECK(written_type(0.1) == 12);
  CHECK(written_type(1e300) == 12);
  CHECK(written_type(std::vector<int64_t>{1, -2}, 4) == 5);
  CHECK(written_type(std::vector<uint64_t>{1, uint64_t{1} << 40}, 4) == 10);
  CHECK(written_type(std::vector<double>{1, 0.1F}, 4) == 6);
  CHECK(written_type(std::string("x")) == 8);
  CHECK(written_type(true) == 7);
  CHECK(written_type(std::vector<bool>{true}, 4) == 7);
}

TEST_CASE("The writer refuses what would not make a valid file") {
  GgufWriter file;
  const std::vector<float> values(32);
  const ErrorCode code = ErrorCode::invalid_argument;
  file.add("k", uint32_t{1});
  file.add_tensor("t", TensorType::f32, {32}, values);
  expect_error(code, {"k twice"}, [&] { file.add("k", true); });
  expect_error(code, {"t twice"}, [&] { file.add_tensor("t", TensorType::f32, {32}, values); });
  expect_error(code, {"u"}, [&] { file.add_tensor("u", TensorType::f32, {33}, values); });
  expect_error(code, {"u"}, [&] { file.add_tensor("u", TensorType::f32, {}, values); });
  expect_error(code, {"u"}, [&] { file.add_tensor("u", TensorType::f32, {0}, values); });
  expect_error(code, {"u"}, [&] { file.add_tensor("u", TensorType::f32, {1, 1, 1, 1, 32}, values); });
  expect_error(ErrorCode::corrupt_file, {"32"}, [&] { file.add_tensor("u", TensorType::q8_0, {2, 16}, values); });
  expect_error(code, {"general.alignment"}, [&] { file.add("general.alignment", uint32_t{64}); });
  expect_error(code, {"version 1"}, [] { GgufWriter(1, 32); });
  expect_error(code, {"alignment 24"}, [] { GgufWriter(3, 24); });
  CHECK(read_bytes(bytes_of(file))->tensors().size() == 1);
}

}  // namespace
}  // namespace emelex
