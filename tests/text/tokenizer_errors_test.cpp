#include <doctest/doctest.h>

#include <string>

#include "emelex/error.h"
#include "text/files/tokenizer_factory.h"
#include "text/tiny_vocabulary.h"

using namespace emelex;
using emelex::test::TinyVocabulary;

namespace {

// The code and message of the error that this vocabulary gives.
std::pair<ErrorCode, std::string> error_of(const Metadata& metadata) {
  try {
    make_tokenizer(metadata);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ErrorCode::internal, "no error"};
}

void check_corrupt(const TinyVocabulary& vocabulary, const std::string& message_part) {
  const auto [code, message] = error_of(vocabulary.metadata());
  CAPTURE(message);
  CHECK(code == ErrorCode::corrupt_file);
  CHECK(message.find(message_part) != std::string::npos);
  CHECK(message.find("tiny.gguf") != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
}

Metadata without(const Metadata& metadata, std::string_view left_out) {
  Metadata made(metadata.source());
  for (const auto& [key, value] : metadata.values()) {
    if (key != left_out) made.add(key, value);
  }
  return made;
}

Metadata with(const Metadata& metadata, const std::string& key, Metadata::Value value) {
  Metadata made = without(metadata, key);
  made.add(key, std::move(value));
  return made;
}

}  // namespace

TEST_CASE("a tokenizer model that is not known is named, with those that are") {
  const auto [code, message] = error_of(with(TinyVocabulary().metadata(), "tokenizer.ggml.model", std::string("rwkv")));
  CHECK(code == ErrorCode::unsupported);
  CHECK(message ==
        "[tokenizer] expected tokenizer.ggml.model to be one of (gpt2, gemma4, llama, t5, bert), got 'rwkv' in "
        "tiny.gguf");
}

TEST_CASE("a pre-tokenizer that is not known is named, with those that are") {
  TinyVocabulary vocabulary;
  vocabulary.pre = "from\nmars";
  const auto [code, message] = error_of(vocabulary.metadata());
  CHECK(code == ErrorCode::unsupported);
  CHECK(message.find("smollm") != std::string::npos);
  CHECK(message.find("'from\\x0amars'") != std::string::npos);
  CHECK(error_of(without(vocabulary.metadata(), "tokenizer.ggml.pre")).first == ErrorCode::unsupported);
}

TEST_CASE("arrays that are missing are named") {
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"}) {
    const auto [code, message] = error_of(without(TinyVocabulary().metadata(), key));
    CAPTURE(message);
    CHECK(code == ErrorCode::corrupt_file);
    CHECK(message.find(key) != std::string::npos);
  }
}

TEST_CASE("counts that disagree and kinds that do not exist are refused") {
  TinyVocabulary short_types;
  short_types.types.pop_back();
  check_corrupt(short_types, "to have 268 numbers from 1 to 6, one for each of tokenizer.ggml.tokens, got 267 numbers");
  for (const int64_t kind : {int64_t{0}, int64_t{7}, int64_t{-1}, int64_t{1} << 40}) {
    TinyVocabulary wrong_type;
    wrong_type.types[5] = kind;
    check_corrupt(wrong_type, "tokenizer.ggml.token_type");
  }
}

TEST_CASE("tokens that are there twice are refused") {
  TinyVocabulary ordinary;
  ordinary.add("hello", 1);
  check_corrupt(ordinary, "got 'hello' as tokens 259 and 268");
  TinyVocabulary special;
  special.add("<tool>", 3);
  check_corrupt(special, "got '<tool>' as tokens 267 and 268");
  TinyVocabulary mixed;
  mixed.add("hello", 3);
  check_corrupt(mixed, "got 'hello' as tokens 259 and 268");
}

TEST_CASE("tokens longer than any tokenizer has are refused") {
  TinyVocabulary vocabulary;
  vocabulary.add(std::string(100'000, 'x'), 1);
  check_corrupt(vocabulary, "got 100000 for token 268");
}

TEST_CASE("merges that the vocabulary can't make are refused") {
  const auto check_merge = [](const std::string& merge, const std::string& message_part) {
    TinyVocabulary vocabulary;
    vocabulary.merges.push_back(merge);
    check_corrupt(vocabulary, message_part);
  };
  check_merge("he", "two tokens parted by one space, got 'he' as merge 9");
  check_merge("", "two tokens parted by one space");
  check_merge(" h", "two tokens parted by one space");
  check_merge("h ", "two tokens parted by one space");
  check_merge("h e l", "two tokens parted by one space");
  check_merge("zz e", "a merge of two tokens of the vocabulary, got 'zz e'");
  check_merge("z e", "a merge that makes a token of the vocabulary, got 'z e'");
  check_merge("h e", "each merge once");
  check_merge("日 e", "tokens of the byte-level alphabet");
  check_merge("\xFF e", "tokens of the byte-level alphabet");
  check_merge(std::string(100'000, 'x'), "parted by one space");
}

TEST_CASE("a merge can't make a control token, so no text becomes one") {
  TinyVocabulary vocabulary;
  vocabulary.merges.push_back("h o");
  vocabulary.add("ho", 3);
  check_corrupt(vocabulary, "a merge that makes a token of the vocabulary, got 'h o'");
}

TEST_CASE("ids of special tokens that are no numbers are refused") {
  const Metadata metadata = TinyVocabulary().metadata();
  for (const char* key :
       {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    CHECK(error_of(with(metadata, key, std::string("2"))).first == ErrorCode::corrupt_file);
  }
}

TEST_CASE("a model that begins with a token must say which") {
  const Metadata metadata = with(TinyVocabulary().metadata(), "tokenizer.ggml.add_bos_token", true);
  CHECK(make_tokenizer(metadata)->adds_bos());
  CHECK(error_of(without(metadata, "tokenizer.ggml.bos_token_id")).first == ErrorCode::corrupt_file);
}
