// Which file of a folder is read, and how its own kind is known.
#include "text/files/tokenizer_files.h"

#include <doctest/doctest.h>

#include <fstream>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "fuzz/seeds.h"
#include "text/files/tokenizer_factory.h"

namespace emelex {
namespace {

void write(const TemporaryFolder& folder, const char* name, const std::string& bytes) {
  std::ofstream(folder.path() / name, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("a sentencepiece model is known by its bytes, and keeps its own rules") {
  const TemporaryFolder folder;
  write(folder, "tokenizer.model", sentencepiece_seeds().at("bpe"));
  const TokenizerSource source = read_tokenizer_source(folder.path());
  const Metadata& metadata = source.keys();
  CHECK(metadata.string("tokenizer.ggml.model") == "llama");
  CHECK(metadata.integer("tokenizer.ggml.bos_token_id") == 1);
  const auto tokenizer = make_tokenizer(source);
  CHECK(tokenizer->encode("a", SpecialTokens::parse) == std::vector<TokenId>{9});
  // User-defined symbols are found anywhere, and no space is put after them.
  CHECK(tokenizer->encode("aboll", SpecialTokens::as_text) == std::vector<TokenId>{5, 4, 8, 7});
}

TEST_CASE("tokenizer.json comes before others, and a file alone will do") {
  const TemporaryFolder folder;
  write(folder, "tekken.json", tekken_seeds().at("small"));
  CHECK(make_tokenizer(read_tokenizer_source(folder.path()))->encode("aaa", SpecialTokens::parse) ==
        std::vector<TokenId>{4, 3});
  CHECK(read_tokenizer_source(folder.path() / "tekken.json").keys().strings("tokenizer.ggml.tokens")->size() == 5);
  write(folder, "tokenizer.json",
        R"({"model": {"type": "WordLevel", "vocab": {"aaa": 0}}, "pre_tokenizer": {"type": "WhitespaceSplit"}})");
  CHECK(make_tokenizer(read_tokenizer_source(folder.path()))->encode("aaa", SpecialTokens::parse) ==
        std::vector<TokenId>{0});
}

TEST_CASE("rows of the embedding that have no token get one that no text has") {
  const TemporaryFolder folder;
  write(folder, "spiece.model", sentencepiece_seeds().at("unigram"));
  TokenizerSource source("config.json");
  add_tokenizer_files(folder.path(), 13, source);
  CHECK(source.keys().strings("tokenizer.ggml.tokens")->back() == "[PAD12]");
  CHECK(make_tokenizer(source)->vocab_size() == 13);
}

TEST_CASE("a tiktoken file of a family that is not known says which are") {
  const TemporaryFolder folder;
  write(folder, "tokenizer.model", "YQ== 0\nYg== 1\n");
  expect_error(ErrorCode::unsupported, {"128000 tokens of Llama 3", "got 2", "tokenizer.model"},
               [&] { (void)read_tokenizer_source(folder.path()); });
  write(folder, "tokenizer.model", "YQ== 0\nYg==\n");
  expect_error(ErrorCode::corrupt_file, {"a token in base64 and its rank", "'Yg=='"},
               [&] { (void)read_tokenizer_source(folder.path()); });
}

}  // namespace emelex
