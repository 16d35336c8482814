#include "weights/tiny_gguf.h"

#include <algorithm>
#include <limits>

#include "weights/gguf/gguf_reader.h"
#include "weights/gguf/gguf_writer.h"

namespace emelex {
namespace {

template <class T>
void add_extremes(GgufWriter& file, const std::string& name) {
  file.add(name + ".least", std::numeric_limits<T>::lowest());
  file.add(name + ".most", std::numeric_limits<T>::max());
  file.add(name + ".array", std::vector<T>{std::numeric_limits<T>::lowest(), 1, std::numeric_limits<T>::max()});
}

}  // namespace

std::shared_ptr<const Weights> read_bytes(std::string_view bytes) {
  const auto copy = std::make_shared<std::vector<std::byte>>(bytes.size());
  std::transform(bytes.begin(), bytes.end(), copy->begin(), [](char c) { return static_cast<std::byte>(c); });
  return read_gguf(*copy, copy, "tiny.gguf");
}

std::string complete_gguf(uint32_t version, uint32_t alignment) {
  GgufWriter file(version, alignment);
  file.add("general.architecture", "tiny");
  add_extremes<uint8_t>(file, "u8");
  add_extremes<int8_t>(file, "i8");
  add_extremes<uint16_t>(file, "u16");
  add_extremes<int16_t>(file, "i16");
  add_extremes<uint32_t>(file, "u32");
  add_extremes<int32_t>(file, "i32");
  add_extremes<uint64_t>(file, "u64");
  add_extremes<int64_t>(file, "i64");
  add_extremes<float>(file, "f32");
  add_extremes<double>(file, "f64");
  file.add("yes", true);
  file.add("no", false);
  file.add("answers", std::vector<bool>{true, false, true});
  file.add("words", std::vector<std::string>{"", "a", std::string("\0\xFF\n", 3)});
  file.add("nothing", std::vector<std::string>{});
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 8 - 4;
  file.add_tensor("q4_0", TensorType::q4_0, {2, 32}, values);
  file.add_tensor("q4_1", TensorType::q4_1, {2, 1, 32}, values);
  file.add_tensor("q8_0", TensorType::q8_0, {1, 2, 1, 32}, values);
  file.add_tensor("f16", TensorType::f16, {64}, values);
  file.add_tensor("bf16", TensorType::bf16, {8, 8}, values);
  file.add_tensor("f32", TensorType::f32, {4, 16}, values);
  const std::vector<std::byte> bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace emelex
