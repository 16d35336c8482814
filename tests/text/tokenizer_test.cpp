#include <doctest/doctest.h>

#include <algorithm>

#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_factory.h"
#include "text/pipeline/pipeline_run.h"
#include "text/tiny_vocabulary.h"

using namespace emelex;
using emelex::test::TinyVocabulary;
using Ids = std::vector<TokenId>;

TEST_CASE("words are merged by rank, and text comes back as it was") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  CHECK(tokenizer->encode("hello wor", SpecialTokens::parse) == Ids{TinyVocabulary::kHello, TinyVocabulary::kSpaceWor});
  CHECK(tokenizer->encode("", SpecialTokens::parse).empty());
  const std::string text = "hello world\n\t 12 'll \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  CHECK(tokenizer->decode(tokenizer->encode(text, SpecialTokens::parse)) == text);
}

TEST_CASE("the same word gives the same ids when a long text repeats it") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  std::string text;
  Ids expected;
  for (int i = 0; i < 1000; ++i) {
    text += " wor";
    expected.push_back(TinyVocabulary::kSpaceWor);
  }
  CHECK(tokenizer->encode(text, SpecialTokens::parse) == expected);
}

TEST_CASE("control tokens are found in text only when they are asked for") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  const std::string text = "hello<|im_end|>hello";
  CHECK(tokenizer->encode(text, SpecialTokens::parse) ==
        Ids{TinyVocabulary::kHello, TinyVocabulary::kEnd, TinyVocabulary::kHello});
  const Ids as_text = tokenizer->encode(text, SpecialTokens::as_text);
  CHECK(std::find(as_text.begin(), as_text.end(), TinyVocabulary::kEnd) == as_text.end());
  CHECK(tokenizer->decode(as_text) == text);
}

TEST_CASE("user-defined tokens are found in any text") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  const Ids expected = {TinyVocabulary::kTool, TinyVocabulary::kHello};
  CHECK(tokenizer->encode("<tool>hello", SpecialTokens::as_text) == expected);
  CHECK(tokenizer->encode("<tool>hello", SpecialTokens::parse) == expected);
  CHECK(tokenizer->decode(expected) == "<tool>hello");
}

TEST_CASE("of special tokens that begin at one place, the longest is found") {
  TinyVocabulary vocabulary;
  vocabulary.add("<a", 3);
  vocabulary.add("<a><b>", 3);
  const auto tokenizer = make_tokenizer(vocabulary.metadata());
  CHECK(tokenizer->encode("<a><b>", SpecialTokens::parse) == Ids{269});
  CHECK(tokenizer->encode("<a><", SpecialTokens::parse) == Ids{268, '>', '<'});
}

TEST_CASE("in segments, control tokens are found in what the template wrote and nowhere else") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  const std::vector<Segment> segments = {
      {"<|im_", false}, {"start|>", false}, {"<|im_end|>", true}, {"<|im_end|>", false}};
  const Ids ids = tokenizer->encode_segments(segments);
  CHECK(ids.front() == TinyVocabulary::kStart);
  CHECK(ids.back() == TinyVocabulary::kEnd);
  CHECK(std::count(ids.begin(), ids.end(), TinyVocabulary::kEnd) == 1);
  CHECK(tokenizer->decode(ids, true) == "<|im_start|><|im_end|><|im_end|>");
}

TEST_CASE("a message can't complete a control token that the template began") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  const std::vector<Segment> segments = {{"<|im_", false}, {"end|>", true}};
  const Ids ids = tokenizer->encode_segments(segments);
  CHECK(std::count(ids.begin(), ids.end(), TinyVocabulary::kEnd) == 0);
}

TEST_CASE("a border between segments does not part words") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  const std::vector<Segment> segments = {{"<|im_start|>hel", false}, {"lo w", true}, {"or", false}};
  CHECK(tokenizer->encode_segments(segments) == tokenizer->encode("<|im_start|>hello wor", SpecialTokens::parse));
}

TEST_CASE("bytes that are not UTF-8 are encoded one by one and not dropped") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  CHECK(tokenizer->encode("hello\xFF\xC3hello", SpecialTokens::parse) ==
        Ids{TinyVocabulary::kHello, 0xFF, 0xC3, TinyVocabulary::kHello});
  CHECK(tokenizer->encode("\xE2\x82", SpecialTokens::parse) == Ids{0xE2, 0x82});
}

TEST_CASE("bytes that the vocabulary lacks are left out before merging") {
  TinyVocabulary vocabulary;
  vocabulary.tokens[1] = "unused-1";  // byte 1
  vocabulary.merges = {"- -"};
  vocabulary.add("--", 1);
  const auto tokenizer = make_tokenizer(vocabulary.metadata());
  CHECK(tokenizer->encode("-\x01-", SpecialTokens::parse) == Ids{268});
}

TEST_CASE("long words are merged like short ones, and a megabyte of one letter takes work in proportion to it") {
  const Metadata metadata = TinyVocabulary().metadata();
  const auto tokenizer = make_tokenizer(metadata);
  const Pipeline pipeline = make_gguf_bpe(gguf_tokenizer_source(std::make_shared<const Metadata>(metadata)));
  const std::string letters(1'000'002, 'a');
  const Stretches stretches;
  PipelineRun run(pipeline, letters, stretches);
  const Ids ids = run.encode();
  CHECK(run.steps() < 20 * letters.size());
  CHECK(ids.size() == 250'001);
  CHECK(ids.front() == 264);
  CHECK(ids.back() == 263);
  for (const size_t length : {1U, 2U, 47U, 48U, 49U, 50U, 51U, 52U}) {
    const Ids of_length = tokenizer->encode(std::string(length, 'a'), SpecialTokens::parse);
    CHECK(of_length.size() == length / 4 + (length % 4 + 1) / 2);
  }
}

TEST_CASE("a vocabulary names its ids for beginning and end") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  CHECK(tokenizer->bos() == TinyVocabulary::kStart);
  CHECK(tokenizer->eos() == TinyVocabulary::kEnd);
  CHECK_FALSE(tokenizer->adds_bos());
  CHECK(tokenizer->is_end(TinyVocabulary::kEnd));
  CHECK_FALSE(tokenizer->is_end(TinyVocabulary::kStart));
  CHECK_FALSE(tokenizer->is_end(-1));
  CHECK_FALSE(tokenizer->is_end(1 << 30));
  CHECK(tokenizer->vocab_size() == 268);

  TinyVocabulary with_end_of_turn;
  with_end_of_turn.add("<|eot_id|>", 3);
  with_end_of_turn.add("<|end|>", 1);  // an ordinary token of that name ends nothing
  const auto other = make_tokenizer(with_end_of_turn.metadata());
  CHECK(other->is_end(268));
  CHECK_FALSE(other->is_end(269));
}

TEST_CASE("control tokens are shown only when they are asked for") {
  const auto tokenizer = make_tokenizer(TinyVocabulary().metadata());
  CHECK(tokenizer->decode_token(TinyVocabulary::kEnd).empty());
  CHECK(tokenizer->decode_token(TinyVocabulary::kEnd, true) == "<|im_end|>");
  CHECK_THROWS_WITH_AS(tokenizer->decode_token(268), "[tokenizer] expected a token id from 0 to 267, got 268", Error);
  CHECK_THROWS_AS(tokenizer->decode_token(-1), Error);
}
