// What the fuzzers of tokenizers' files start from, as ordinary tests.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "fuzz/seeds.h"
#include "fuzz/tokenizer_fuzz.h"

namespace emelex {
namespace {

using Fuzz = bool (*)(std::span<const std::byte>);

// Runs every seed; returns how many are valid.
int run_all(const Seeds& seeds, Fuzz fuzz) {
  int valid = 0;
  for (const auto& [name, bytes] : seeds) {
    CAPTURE(name);
    valid += fuzz(std::as_bytes(std::span(bytes))) ? 1 : 0;
  }
  return valid;
}

// What fuzzers have found lies in files.
void run_files(const std::string& folder, Fuzz fuzz) {
  const std::filesystem::path path = std::filesystem::path(EMELEX_FUZZ_SEEDS) / folder;
  REQUIRE(std::filesystem::exists(path));
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    (void)fuzz(std::as_bytes(std::span(bytes)));
  }
}

}  // namespace

TEST_CASE("the seeds of tokenizers' fuzzers give a tokenizer or an error, and nothing worse") {
  CHECK(run_all(tokenizer_json_seeds(), fuzz_tokenizer_json) >= 9);
  CHECK(run_all(sentencepiece_seeds(), fuzz_sentencepiece) >= 2);
  CHECK(run_all(tekken_seeds(), fuzz_tekken) >= 2);
  CHECK(run_all(tiktoken_seeds(), fuzz_tiktoken) == 0);  // those that are read have 128,000 tokens
  CHECK(run_all(gguf_text_seeds(), fuzz_gguf_text) == 2);
  CHECK(run_all(folder_text_seeds(), fuzz_folder_text) >= 4);
  run_files("tokenizer_json", fuzz_tokenizer_json);
  run_files("sentencepiece", fuzz_sentencepiece);
  run_files("tiktoken", fuzz_tiktoken);
  run_files("tekken", fuzz_tekken);
}

TEST_CASE("a file whose steps each double a text takes no memory without end") {
  const Seeds seeds = tokenizer_json_seeds();
  const std::string& bytes = seeds.at("doubling");
  CHECK_FALSE(fuzz_tokenizer_json(std::as_bytes(std::span(bytes))));
}

TEST_CASE("cut short anywhere, a tokenizer's file gives an error") {
  for (const auto& [name, bytes] : sentencepiece_seeds()) {
    for (size_t n = 0; n < bytes.size(); ++n) (void)fuzz_sentencepiece(std::as_bytes(std::span(bytes.data(), n)));
  }
  for (const auto& [name, bytes] : tokenizer_json_seeds()) {
    const size_t end = std::min(bytes.find('\0'), bytes.size());
    for (size_t n = 0; n < end; n += 3) CHECK_FALSE(fuzz_tokenizer_json(std::as_bytes(std::span(bytes.data(), n))));
  }
}

}  // namespace emelex
