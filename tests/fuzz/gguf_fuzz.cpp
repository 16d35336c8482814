#include "fuzz/gguf_fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/error.h"
#include "quant/dequantize.h"
#include "weights/gguf/gguf_reader.h"

namespace emelex {
namespace {

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz_gguf: not true: %s\n", what);
  std::abort();
}

template <class Fn>
void may_throw_error(const Fn& fn) {
  try {
    fn();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    expect(error.code() == ErrorCode::corrupt_file || error.code() == ErrorCode::unsupported, "the file is to blame");
    expect(message.size() < 1000, "a message is short");
    for (const unsigned char c : message) expect(c >= 0x20 && c < 0x7F, "a message is one line of plain text");
  }
}

void ask_for_everything(const Metadata& metadata) {
  for (const auto& entry : metadata.values()) {
    const std::string& key = entry.first;  // clang 14 can't capture a structured binding
    expect(metadata.find(key) == &entry.second, "a key is found");
    may_throw_error([&] { (void)metadata.integer(key); });
    may_throw_error([&] { (void)metadata.number(key); });
    may_throw_error([&] { (void)metadata.boolean(key); });
    may_throw_error([&] { (void)metadata.string(key); });
    may_throw_error([&] { (void)metadata.strings(key); });
    may_throw_error([&] { (void)metadata.integers(key); });
    may_throw_error([&] { (void)metadata.numbers(key); });
    may_throw_error([&] { (void)metadata.require_integer(key, 0, 100); });
  }
}

void read_everything(const Tensor& tensor, std::span<const std::byte> file) {
  expect(!tensor.shape.empty() && tensor.shape.size() <= 4, "one to four dimensions");
  expect(tensor.data.data() >= file.data(), "data starts within the file");
  expect(tensor.data.data() + tensor.data.size() <= file.data() + file.size(), "data ends within the file");
  uint64_t values = 1;  // fits: the reader has checked it
  for (const int64_t dimension : tensor.shape) values *= static_cast<uint64_t>(dimension);
  const TensorTypeInfo& layout = info(tensor.type);
  expect(tensor.data.size() * static_cast<uint64_t>(layout.block_size) ==
             values * static_cast<uint64_t>(layout.block_bytes),
         "data has the shape's size");
  const size_t bytes = row_bytes(tensor.type, tensor.columns());
  std::vector<float> row(static_cast<size_t>(tensor.columns()));
  for (size_t at = 0; at < tensor.data.size(); at += bytes)
    dequantize(tensor.type, tensor.data.subspan(at, bytes), row);
}

}  // namespace

bool fuzz_gguf(std::span<const std::byte> bytes) {
  bool valid = false;
  may_throw_error([&] {
    const auto weights = read_gguf(bytes, nullptr, "fuzz.gguf");
    valid = true;
    ask_for_everything(weights->metadata());
    for (const auto& entry : weights->tensors()) {
      expect(weights->find(entry.first) == &entry.second, "a tensor is found");
      read_everything(entry.second, bytes);
      may_throw_error([&] { (void)weights->require(entry.first, {1, 2, 3}); });
    }
  });
  return valid;
}

}  // namespace emelex

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  (void)emelex::fuzz_gguf(std::as_bytes(std::span(data, size)));
  return 0;
}
