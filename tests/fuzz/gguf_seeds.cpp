#include <string>

#include "fuzz/seeds.h"
#include "fuzz/weights_fuzz.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/split_gguf.h"
#include "weights/tiny_gguf.h"

namespace emelex {
namespace {

std::string text_of(const GgufWriter& file) {
  const std::vector<std::byte> bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What a small language model's file has.
std::string model() {
  GgufWriter file;
  file.add("general.architecture", "llama");
  file.add("general.name", "seed");
  file.add("llama.block_count", uint32_t{1});
  file.add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  file.add("tokenizer.ggml.tokens", std::vector<std::string>{"<s>", "a", "b"});
  file.add("tokenizer.ggml.token_type", std::vector<int32_t>{3, 1, 1});
  file.add_tensor("token_embd.weight", TensorType::q8_0, {3, 32}, std::vector<float>(96, 0.5F));
  file.add_tensor("output_norm.weight", TensorType::f32, {32}, std::vector<float>(32, 1.0F));
  return text_of(file);
}

// A part with one tensor.
std::string part(int no, int count, int n_tensors, const std::string& tensor) {
  GgufWriter file = split_part(no, count, n_tensors);
  if (no == 0) file.add("general.architecture", "llama");
  file.add_tensor(tensor, TensorType::f32, {8}, std::vector<float>(8, 1.0F));
  return text_of(file);
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& next : parts) text += (text.empty() ? "" : kPartSeparator) + next;
  return text;
}

}  // namespace

Seeds gguf_seeds() {
  const auto one_tensor = [](const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset) {
    return RawGguf().header(1, 0).tensor("t", dimensions, type, offset).data(64).bytes();
  };
  const auto one_array = [](GgufType type, uint64_t n) {
    return RawGguf().header(0, 1).key("k", GgufType::array).type(type).number(n).raw("abc").bytes();
  };
  constexpr auto kWrapping = uint64_t{1} << 32;
  return {
      {"complete", complete_gguf()},
      {"complete-v2", complete_gguf(2)},
      {"complete-aligned-64", complete_gguf(3, 64)},
      {"model", model()},
      {"empty-header", RawGguf().header(0, 0).bytes()},
      {"big-endian", RawGguf().raw("GGUF").raw(std::string("\0\0\0\x03", 4)).number(uint64_t{0}).bytes()},
      {"plain-tensor", one_tensor({8}, 0, 0)},
      {"quantized-tensor", one_tensor({32}, 2, 0)},
      {"k-quant-tensor", one_tensor({256}, 12, 0)},
      {"wrapping-dimensions", one_tensor({kWrapping, kWrapping}, 0, 0)},
      {"wrapping-offset", one_tensor({8}, 0, ~uint64_t{31})},
      {"five-dimensions", one_tensor({1, 1, 1, 1, 1}, 0, 0)},
      {"long-array", one_array(GgufType::uint64, uint64_t{1} << 61)},
      {"long-strings", one_array(GgufType::string, 10'000'000)},
      {"nested-array", one_array(GgufType::array, 1)},
      {"alignment-zero", RawGguf().header(0, 1).key("general.alignment", GgufType::uint32).number(uint32_t{0}).bytes()},
  };
}

Seeds gguf_split_seeds() {
  return {
      {"two", joined({part(0, 2, 2, "a"), part(1, 2, 2, "b")})},
      {"three", joined({part(0, 3, 3, "a"), part(1, 3, 3, "b"), part(2, 3, 3, "c")})},
      {"one", joined({complete_gguf()})},
      {"swapped", joined({part(1, 2, 2, "a"), part(0, 2, 2, "b")})},
      {"tensor-twice", joined({part(0, 2, 2, "a"), part(1, 2, 2, "a")})},
      {"too-few-tensors", joined({part(0, 2, 3, "a"), part(1, 2, 3, "b")})},
      {"of-two-models", joined({part(0, 2, 2, "a"), part(1, 2, 3, "b")})},
      {"whole-models", joined({complete_gguf(), complete_gguf()})},
  };
}

}  // namespace emelex
