// tokenizer.json and its companions as a GGUF file's metadata.
#include "text/files/hf_tokenizer.h"

#include <doctest/doctest.h>

#include <fstream>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "text/files/tokenizer_factory.h"

namespace emelex {
namespace {

const char* const kByteLevel = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";

struct Folder {
  TemporaryFolder folder;
  std::string vocabulary = R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3})";
  std::string merges = R"([["a", "b"]])";
  std::string added = R"([{"id": 5, "content": "<end>", "special": true}, {"id": 4, "content": "<tool>"}])";
  std::string model = R"("type": "BPE")";
  std::string pre = kByteLevel;
  std::string more;

  void write(const char* name, const std::string& text) const { std::ofstream(folder.path() / name) << text; }

  TokenizerSource read() const {
    write("tokenizer.json", R"({"added_tokens": )" + added + R"(, "pre_tokenizer": )" + pre + more + R"(, "model": {)" +
                                model + R"(, "vocab": )" + vocabulary + R"(, "merges": )" + merges + "}}");
    TokenizerSource source("folder");
    add_hf_tokenizer(folder.path(), 8, source);
    return source;
  }
};

TEST_CASE("tokens, their kinds and merges are those of the file, and rows without a token get one") {
  const TokenizerSource source = Folder().read();
  const Metadata& metadata = source.keys();
  CHECK(*metadata.strings("tokenizer.ggml.tokens") ==
        std::vector<std::string>{"a", "b", "ab", "Ġ", "<tool>", "<end>", "[PAD6]", "[PAD7]"});
  CHECK(*metadata.integers("tokenizer.ggml.token_type") == std::vector<int64_t>{1, 1, 1, 1, 4, 3, 5, 5});
  CHECK(*metadata.strings("tokenizer.ggml.merges") == std::vector<std::string>{"a b"});
  CHECK(metadata.string("tokenizer.ggml.pre") == "gpt-2");
  CHECK_FALSE(metadata.contains("tokenizer.ggml.add_bos_token"));
  const auto tokenizer = make_tokenizer(source);
  CHECK(tokenizer->encode("ab a<end>", SpecialTokens::parse) == std::vector<TokenId>{2, 3, 0, 5});
}

TEST_CASE("merges may be one text each") {
  Folder f;
  f.merges = R"(["a b"])";
  CHECK(*f.read().keys().strings("tokenizer.ggml.merges") == std::vector<std::string>{"a b"});
}

TEST_CASE("a pre-tokenizer is known by what it does") {
  const auto name = [](const std::string& pre, const std::string& more = "", const std::string& model = "") {
    Folder f;
    f.pre = pre;
    f.more = more;
    f.model += model;
    return *f.read().keys().string("tokenizer.ggml.pre");
  };
  const auto sequence = [](const std::string& steps) {
    return R"({"type": "Sequence", "pretokenizers": [)" + steps + "]}";
  };
  const auto split = [](const std::string& pattern) {
    return R"({"type": "Split", "pattern": {"Regex": ")" + pattern +
           R"("}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "use_regex": false})";
  };
  const std::string words = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N})";
  const std::string rest = R"(| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
  CHECK(name(sequence(R"({"type": "Digits", "individual_digits": true}, )" + std::string(kByteLevel))) == "smollm");
  CHECK(name(sequence(split(words + "{1,3}" + rest)), "", R"(, "ignore_merges": true)") == "llama-bpe");
  CHECK(name(sequence(split(words + "{1,3}" + rest))) == "dbrx");
  CHECK(name(sequence(split(words + rest)), R"(, "normalizer": {"type": "NFC"})") == "qwen2");
}

TEST_CASE("special tokens and the first token of a text come from tokenizer_config.json") {
  Folder f;
  f.more = R"(, "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<end>"}}]})";
  f.write("tokenizer_config.json",
          R"({"bos_token": {"content": "<end>"}, "eos_token": "<tool>", "add_bos_token": false,
              "chat_template": [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}]})");
  const TokenizerSource source = f.read();
  const Metadata& metadata = source.keys();
  CHECK(metadata.integer("tokenizer.ggml.bos_token_id") == 5);
  CHECK(metadata.integer("tokenizer.ggml.eos_token_id") == 4);
  CHECK(metadata.boolean("tokenizer.ggml.add_bos_token") == true);
}

TEST_CASE("what emelex lacks is unsupported, and what contradicts itself is corrupt") {
  const auto fails = [](ErrorCode code, const std::string& says, const auto& change) {
    CAPTURE(says);
    Folder f;
    change(f);
    expect_error(code, {"[tokenizer]", says, "tokenizer.json"}, [&] { (void)make_tokenizer(f.read()); });
  };
  using enum ErrorCode;
  fails(unsupported, "'Magic'", [](Folder& f) { f.model = R"("type": "Magic")"; });
  fails(unsupported, "dropout", [](Folder& f) { f.model += R"(, "dropout": 0.1)"; });
  fails(unsupported, "end_of_word_suffix", [](Folder& f) { f.model += R"(, "end_of_word_suffix": "</w>")"; });
  fails(unsupported, "'Knife'", [](Folder& f) { f.pre = R"({"type": "Knife"})"; });
  fails(unsupported, "'Shout'", [](Folder& f) { f.more = R"(, "normalizer": {"type": "Shout"})"; });
  fails(unsupported, "'CTC'",
        [](Folder& f) { f.pre = R"({"type": "Whitespace"})", f.more = R"(, "decoder": {"type": "CTC"})"; });
  fails(unsupported, "a regular expression",
        [](Folder& f) { f.pre = R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})"; });
  fails(corrupt_file, "token ids below 65542", [](Folder& f) { f.vocabulary = R"({"a": 99999999999})"; });
  fails(corrupt_file, "token ids", [](Folder& f) { f.vocabulary = R"({"a": -1})"; });
  fails(corrupt_file, "two names", [](Folder& f) { f.merges = R"([["a"]])"; });
  fails(corrupt_file, "tokenizer.json", [](Folder& f) { f.more = "}"; });
}

TEST_CASE(
    "added tokens that the vocabulary contradicts are numbered as Hugging Face's tokenizers does, and it is said") {
  const auto added = [](const std::string& tokens, size_t n_warnings) {
    Folder f;
    f.added = tokens;
    const TokenizerSource source = f.read();
    CHECK(source.warnings.size() == n_warnings);
    CHECK(make_tokenizer(source)->vocab_size() == 8);
    return *source.keys().strings("tokenizer.ggml.tokens");
  };
  using Names = std::vector<std::string>;
  const Names as_said = {"a", "b", "ab", "Ġ", "<x>", "[PAD5]", "[PAD6]", "[PAD7]"};
  CHECK(added(R"([{"id": 4, "content": "<x>"}, {"id": 4, "content": "<x>"}])", 0) == as_said);
  CHECK(added(R"([{"id": 2, "content": "<x>"}])", 1) == as_said);                               // 2 is "ab"
  CHECK(added(R"([{"id": 4, "content": "<x>"}, {"id": 6, "content": "<x>"}])", 1) == as_said);  // known as 4
  CHECK(added(R"([{"id": 4, "content": ""}, {"id": 4, "content": "<x>"}])", 0) == as_said);
  CHECK(added(R"([{"id": 4, "content": "<x>"}, {"id": 5, "content": "ab"}])", 1) == as_said);  // known as 2
  CHECK(added(R"([{"id": 4, "content": "<x>"}, {"id": 5, "content": "ab", "special": true}])", 1) == as_said);
  CHECK(added(R"([{"id": 4, "content": "<x>"}, {"id": 4, "content": "<y>"}])", 1) ==
        Names{"a", "b", "ab", "Ġ", "<x>", "<y>", "[PAD6]", "[PAD7]"});
}

TEST_CASE("the version line of a merges.txt among the merges is passed over") {
  Folder f;
  f.merges = R"(["#version: 0.2", "a b"])";
  CHECK(*f.read().keys().strings("tokenizer.ggml.merges") == std::vector<std::string>{"a b"});
}

TEST_CASE("tokens that the embedding has no row for can't be made, and it is said") {
  Folder f;
  f.vocabulary = R"({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 8})";
  f.merges = R"(["a b", "ab c"])";
  f.added = R"([{"id": 9, "content": "<image>", "special": true}])";
  const TokenizerSource source = f.read();
  REQUIRE(source.warnings.size() == 1);
  CHECK(source.warnings[0].find("2 ids from 8 on") != std::string::npos);
  const auto tokenizer = make_tokenizer(source);
  CHECK(tokenizer->vocab_size() == 8);
  CHECK(tokenizer->encode("abc", SpecialTokens::parse) == std::vector<TokenId>{3, 2});
  for (const TokenId id : tokenizer->encode("a<image>", SpecialTokens::parse)) CHECK(id < 8);
}

TEST_CASE("a folder without tokenizer.json says so") {
  const TemporaryFolder folder;
  TokenizerSource source;
  expect_error(ErrorCode::unsupported, {"tokenizer.json"}, [&] { add_hf_tokenizer(folder.path(), 0, source); });
  const TokenizerSource read = read_hf_tokenizer(folder.path(), 0);
  REQUIRE(read.problem);
  CHECK(read.problem->code() == ErrorCode::unsupported);
  expect_error(ErrorCode::unsupported, {"tokenizer.json"}, [&] { (void)make_tokenizer(read); });
}

}  // namespace
}  // namespace emelex
