#include <cstring>
#include <string_view>
#include <vector>

#include "fuzz/fuzz_check.h"
#include "fuzz/weights_fuzz.h"
#include "weights/gguf/gguf_reader.h"
#include "weights/gguf/gguf_split.h"

namespace emelex {
namespace {

using namespace fuzz;

void check_tensor(const Tensor& tensor, std::span<const std::byte> file) {
  expect(!tensor.shape.empty() && tensor.shape.size() <= 4, "one to four dimensions");
  expect(tensor.data.data() >= file.data(), "data starts within the file");
  expect(tensor.data.data() + tensor.data.size() <= file.data() + file.size(), "data ends within the file");
  read_everything(tensor);
}

void check_weights(const Weights& weights, std::span<const std::byte> file) {
  ask_for_everything(weights.metadata());
  for (const auto& entry : weights.tensors()) {
    expect(weights.find(entry.first) == &entry.second, "a tensor is found");
    check_tensor(entry.second, file);
    may_throw_error([&] { (void)weights.require(entry.first, {1, 2, 3}); });
  }
}

std::vector<std::span<const std::byte>> parts_of(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view separator = kPartSeparator;
  std::vector<std::span<const std::byte>> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(bytes.subspan(begin, end - begin));
    begin = end + separator.size();
  }
  return parts;
}

}  // namespace

bool fuzz_gguf(std::span<const std::byte> bytes) {
  return may_throw_error([&] { check_weights(*read_gguf(bytes, nullptr, "fuzz.gguf"), bytes); });
}

bool fuzz_gguf_split(std::span<const std::byte> bytes) {
  return may_throw_error([&] {
    std::vector<GgufPart> parts;
    for (const auto part : parts_of(bytes))
      parts.push_back({"fuzz.gguf", read_gguf_content(part, nullptr, "fuzz.gguf")});
    if (!parts.empty()) check_weights(*join_gguf_parts(std::move(parts)), bytes);
  });
}

}  // namespace emelex
