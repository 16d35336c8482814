#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/fuzz_check.h"
#include "fuzz/weights_fuzz.h"
#include "weights/safetensors/hf_config.h"
#include "weights/safetensors/safetensors_header.h"
#include "weights/safetensors/safetensors_index.h"
#include "weights/safetensors/safetensors_reader.h"

namespace emelex {
namespace {

using namespace fuzz;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool lies_in(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_tensor(const Tensor& tensor, std::span<const std::byte> file) {
  // rope_freqs is computed from config.json.
  expect(lies_in(tensor.data, file) || tensor.name == "rope_freqs.weight", "data lies in the file");
  if (tensor.mlx) expect(lies_in(tensor.mlx->scales, file) && lies_in(tensor.mlx->biases, file), "so do its scales");
  read_everything(tensor);
}

}  // namespace

bool fuzz_safetensors(std::span<const std::byte> bytes) {
  return may_throw_error([&] {
    size_t total = 0;
    for (const SafeTensorsEntry& entry : read_safetensors_header(bytes, "fuzz.safetensors")) {
      expect(lies_in(entry.data, bytes), "data lies in the file");
      total += entry.data.size();
    }
    expect(total < bytes.size(), "tensors share no bytes");
  });
}

bool fuzz_safetensors_index(std::span<const std::byte> bytes) {
  return may_throw_error([&] {
    for (const auto& [tensor, file] : read_safetensors_index(text_of(bytes), "fuzz.json")) {
      expect(file.find('/') == std::string::npos && file.front() != '.', "no file lies outside of the folder");
      expect(file.ends_with(".safetensors") && file.find('\0') == std::string::npos, "files are of one kind");
    }
  });
}

bool fuzz_hf_config(std::span<const std::byte> bytes) {
  return may_throw_error([&] {
    const HfConfig config = read_hf_config(text_of(bytes), "fuzz.json", "fuzz");
    expect(config.family != nullptr, "the family is known");
    for (const auto& [name, values] : config.tensors) expect(values.size() <= 2048, "memory is bounded");
    ask_for_everything(config.metadata);
  });
}

bool fuzz_safetensors_folder(std::span<const std::byte> bytes) {
  const std::string_view config = text_of(bytes).substr(0, text_of(bytes).find('\0'));
  const std::span<const std::byte> file = bytes.subspan(std::min(config.size() + 1, bytes.size()));
  return may_throw_error([&] {
    const auto weights = read_safetensors(config, {{file, nullptr, "fuzz/model.safetensors"}}, "fuzz");
    ask_for_everything(weights->metadata());
    for (const auto& entry : weights->tensors()) {
      expect(weights->find(entry.first) == &entry.second, "a tensor is found");
      check_tensor(entry.second, file);
    }
    may_throw_error([&] { (void)weights->require("output.weight", {1, 2, 3}); });
  });
}

}  // namespace emelex
