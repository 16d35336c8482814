// For tests/differential/quant_check.py: what emelex makes of a file of stored values, or of float32 values.
//   quant_tool dequantize|quantize TYPE IN OUT [IMPORTANCE]
// Quantizing prints how many megabytes of float32 a second of one core took in.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
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

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<float> floats_in(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::string run_quantize(TensorType type, const std::string& in, const std::string& importance) {
  const std::vector<float> values = floats_in(in);
  const std::clock_t start = std::clock();
  const std::vector<std::byte> out = quantize(type, values, floats_in(importance));
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::printf("%.1f\n", static_cast<double>(in.size()) / 1e6 / std::max(seconds, 1e-6));
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

std::string run_dequantize(TensorType type, const std::string& in) {
  const TensorTypeInfo& layout = info(type);
  const size_t blocks = in.size() / static_cast<size_t>(layout.block_bytes);
  std::vector<float> out(blocks * static_cast<size_t>(layout.block_size));
  dequantize(type, std::as_bytes(std::span(in)), out);
  return {reinterpret_cast<const char*>(out.data()), out.size() * sizeof(float)};
}

}  // namespace
}  // namespace emelex

int main(int argc, char** argv) {
  using namespace emelex;
  if (argc < 5 || argc > 6) return 2;
  try {
    const TensorType type = type_named(argv[2]);
    const std::string in = read_file(argv[3]);
    std::ofstream(argv[4], std::ios::binary)
        << (std::string_view(argv[1]) == "quantize" ? run_quantize(type, in, argc > 5 ? read_file(argv[5]) : "")
                                                    : run_dequantize(type, in));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
