// For tests/differential/quant_check.py: what emelex makes of a file of stored values, or of float32 values.
//   quant_tool dequantize|quantize TYPE IN OUT
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/dequantize.h"
#include "quant/quantize.h"

namespace emelex {
namespace {

TensorType type_named(std::string_view name) {
  const std::optional<TensorType> type = tensor_type_named(name);
  if (!type) throw Error(ErrorCode::invalid_argument, str_cat("[quant_tool] expected a type, got ", name));
  return *type;
}

std::string run(std::string_view mode, TensorType type, const std::string& in) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(in));
  if (mode == "quantize") {
    std::vector<float> values(in.size() / sizeof(float));
    std::memcpy(values.data(), in.data(), values.size() * sizeof(float));
    const std::vector<std::byte> out = quantize(type, values);
    return {reinterpret_cast<const char*>(out.data()), out.size()};
  }
  const TensorTypeInfo& layout = info(type);
  const size_t blocks = in.size() / static_cast<size_t>(layout.block_bytes);
  std::vector<float> out(blocks * static_cast<size_t>(layout.block_size));
  dequantize(type, bytes, out);
  return {reinterpret_cast<const char*>(out.data()), out.size() * sizeof(float)};
}

}  // namespace
}  // namespace emelex

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    std::ifstream in(argv[3], std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    std::ofstream(argv[4], std::ios::binary) << emelex::run(argv[1], emelex::type_named(argv[2]), content);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
