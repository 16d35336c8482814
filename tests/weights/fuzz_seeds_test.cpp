#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "fuzz/weights_fuzz.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// → how many of a fuzzer's seeds are valid files.
int run_seeds(const char* fuzzer, bool (*fuzz)(std::span<const std::byte>)) {
  int n = 0;
  int valid = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(EMELEX_FUZZ_SEEDS) / fuzzer)) {
    CAPTURE(entry.path().string());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    // Memory of exactly that size, so that a sanitizer sees a read past the end.
    const std::vector<char> copy(bytes.begin(), bytes.end());
    valid += fuzz(std::as_bytes(std::span(copy))) ? 1 : 0;
    ++n;
  }
  CHECK(n >= 8);
  CHECK(valid < n);
  return valid;
}

TEST_CASE("The fuzzers' seeds and the cases that they found are read or refused") {
  CHECK(run_seeds("gguf", fuzz_gguf) >= 5);
  CHECK(run_seeds("gguf_split", fuzz_gguf_split) >= 2);
  CHECK(run_seeds("safetensors", fuzz_safetensors) >= 6);
  CHECK(run_seeds("safetensors_index", fuzz_safetensors_index) >= 2);
  CHECK(run_seeds("hf_config", fuzz_hf_config) >= 8);
  CHECK(run_seeds("safetensors_folder", fuzz_safetensors_folder) >= 7);
}

}  // namespace
}  // namespace emelex
