// What the fuzzer starts from and what it has found, as ordinary tests.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

TEST_CASE("templates of the fuzzer's seeds render or give an error, and nothing worse") {
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(EMELEX_FUZZ_SEEDS "/jinja")) {
    CAPTURE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    CHECK(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()) == 0);
    ++n;
  }
  CHECK(n > 10);
}
