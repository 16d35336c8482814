#include "fuzz/fuzz_check.h"

#include <string>
#include <vector>

namespace emelex::fuzz {

void check_error(const Error& error) {
  const std::string_view message = error.what();
  expect(error.code() == ErrorCode::corrupt_file || error.code() == ErrorCode::unsupported, "the file is to blame");
  expect(message.size() < 2000, "a message is short");
  for (const unsigned char c : message) expect(c >= 0x20 && c < 0x7F, "a message is one line of plain text");
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

void read_everything(const Tensor& tensor) {
  uint64_t values = 1;  // fits: the reader has checked it
  for (const int64_t dimension : tensor.shape) values *= static_cast<uint64_t>(dimension);
  const uint64_t rows = values / static_cast<uint64_t>(tensor.columns());
  expect(rows * tensor.row_bytes() == tensor.data.size(), "data has the shape's size");
  std::vector<float> row(static_cast<size_t>(tensor.columns()));
  for (uint64_t i = 0; i < rows; ++i) tensor.read_rows(static_cast<int64_t>(i), row);
}

}  // namespace emelex::fuzz
