// For tests/differential/gguf_check.py: reads a GGUF file and writes it again. Tensors come out in the order of their
// names.
//   gguf_tool copy IN OUT
#include <cstdio>
#include <exception>
#include <string_view>

#include "weights/gguf/gguf_format.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/weights.h"

namespace emelex {
namespace {

void copy(const char* in, const char* out) {
  const auto weights = open_weights(in);
  const int64_t alignment = weights->metadata().integer(kGgufAlignmentKey).value_or(kGgufDefaultAlignment);
  GgufWriter file(3, static_cast<uint32_t>(alignment));
  for (const auto& [key, value] : weights->metadata().values()) {
    if (key != kGgufAlignmentKey) file.add_value(key, value);
  }
  for (const auto& [name, tensor] : weights->tensors()) {
    file.add_tensor(name, tensor.type, tensor.shape, std::vector(tensor.data.begin(), tensor.data.end()));
  }
  file.write(out);
}

}  // namespace
}  // namespace emelex

int main(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[1]) != "copy") return 2;
  try {
    emelex::copy(argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
