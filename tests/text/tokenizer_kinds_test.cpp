// What holds for every kind of tokenizer, and what is particular to each.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_factory.h"
#include "text/files/tokenizer_json.h"
#include "text/pipeline/pipeline_run.h"
#include "text/tiny_vocabulary.h"

namespace emelex {
namespace {

using Ids = std::vector<TokenId>;

// A GGUF file's metadata of sentencepiece's kind: "llama" or "t5".
struct Pieces {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int64_t> types = {2, 3, 3};
  std::vector<double> scores = {0, 0, 0};
  std::string model = "llama";
  std::map<std::string, bool> flags;

  Pieces() {
    constexpr const char* kDigits = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte) {
      add(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">", 0, 6);
    }
    double score = 0;
    for (const char* piece : {"\u2581", "h",    "e",     "l",           "o",       "<",  "s",  ">", "/",  "he",
                              "ll",     "hell", "hello", "\u2581hello", "\u2581h", "<s", "</", "a", "aa", "aaaa"}) {
      add(piece, score -= 1, 1);
    }
  }

  void add(const std::string& piece, double score, int64_t type) {
    tokens.push_back(piece);
    scores.push_back(score);
    types.push_back(type);
  }

  TokenId id(const std::string& piece) const {
    return static_cast<TokenId>(std::find(tokens.begin(), tokens.end(), piece) - tokens.begin());
  }

  Metadata metadata() const {
    Metadata made("tiny.gguf");
    made.add("tokenizer.ggml.model", model);
    made.add("tokenizer.ggml.tokens", tokens);
    made.add("tokenizer.ggml.scores", scores);
    made.add("tokenizer.ggml.token_type", types);
    made.add("tokenizer.ggml.bos_token_id", int64_t{1});
    made.add("tokenizer.ggml.eos_token_id", int64_t{2});
    for (const auto& [key, value] : flags) made.add("tokenizer.ggml." + key, value);
    return made;
  }
};

Metadata bert() {
  Metadata made("tiny.gguf");
  made.add("tokenizer.ggml.model", std::string("bert"));
  made.add("tokenizer.ggml.tokens", std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "\u2581hello", "\u2581he",
                                                             "llo", "\u2581[", "\u2581]", "\u2581cls"});
  made.add("tokenizer.ggml.token_type", std::vector<int64_t>{3, 2, 3, 1, 1, 1, 1, 1, 1});
  made.add("tokenizer.ggml.bos_token_id", int64_t{2});
  return made;
}

// What a test makes tokenizers of: a GGUF file's metadata, or a tokenizer.json.
TokenizerSource gguf(Metadata metadata) {
  return gguf_tokenizer_source(std::make_shared<const Metadata>(std::move(metadata)));
}

// A tokenizer.json with this normalizer and added token.
TokenizerSource json(const std::string& normalizer, const std::string& added) {
  TokenizerSource made("config.json");
  const std::string text = R"({"added_tokens": [{"id": 9, "special": true, )" + added + R"(}], "normalizer": )" +
                           normalizer + R"(, "decoder": {"type": "Fuse"}, "model": {"type": "BPE",
      "vocab": {"<": 0, "e": 1, "n": 2, "d": 3, ">": 4, "▁": 5, " ": 6, "<e": 7, "<E": 8, "E": 10}, "merges": []}})";
  add_tokenizer_json(read_tokenizer_json(text, "tiny.json"), 0, made);
  return made;
}

int count(const Ids& ids, TokenId id) { return static_cast<int>(std::count(ids.begin(), ids.end(), id)); }

}  // namespace

TEST_CASE("text from a user never becomes a control token, whatever the kind of tokenizer") {
  struct Case {
    TokenizerSource source;
    std::string name;
    TokenId id;
  };
  Pieces unigram;
  unigram.model = "t5";
  const std::string end = R"("content": "<end>", "normalized": )";
  const Case cases[] = {
      {gguf(test::TinyVocabulary().metadata()), "<|im_end|>", test::TinyVocabulary::kEnd},
      {gguf(Pieces().metadata()), "</s>", 2},
      {gguf(unigram.metadata()), "</s>", 2},
      {gguf(bert()), "[CLS]", 2},
      {json("null", end + "false"), "<end>", 9},
      {json("null", end + "true"), "<end>", 9},
      {json(R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})", end + "true"), "<end>", 9},
      {json(R"({"type": "Lowercase"})", end + "true"), "<end>", 9},
  };
  for (const Case& one : cases) {
    const auto tokenizer = make_tokenizer(one.source);
    CAPTURE(one.name);
    CHECK(count(tokenizer->encode("a " + one.name + " b", SpecialTokens::parse), one.id) == 1);
    CHECK(count(tokenizer->encode("a " + one.name + " b", SpecialTokens::as_text), one.id) == 0);
    const std::string first = one.name.substr(0, 2);
    const std::string second = one.name.substr(2);
    using Segments = std::vector<Segment>;
    const auto found = [&](const Segments& segments) { return count(tokenizer->encode_segments(segments), one.id); };
    CHECK(found({{one.name, true}}) == 0);
    CHECK(found({{"x ", false}, {one.name, true}, {" y", false}}) == 0);
    CHECK(found({{first, false}, {second, true}}) == 0);
    CHECK(found({{first, true}, {second, false}}) == 0);
    CHECK(found({{first, false}, {second, false}}) == 1);
    CHECK(found({{one.name, true}, {one.name, false}, {one.name + "  ", true}}) == 1);
    CHECK(found({{"a b  c ", true}, {one.name, false}}) == 1);
  }
}

TEST_CASE("sentencepiece's BPE merges by score, marks spaces, and puts one before a text and after a control token") {
  const Pieces pieces;
  const auto tokenizer = make_tokenizer(pieces.metadata());
  const TokenId hello = pieces.id("\u2581hello");
  CHECK(tokenizer->encode("hello hello", SpecialTokens::parse) == Ids{hello, hello});
  CHECK(tokenizer->encode("hello</s>hello", SpecialTokens::parse) == Ids{hello, 2, hello});
  CHECK(tokenizer->encode("", SpecialTokens::parse).empty());
  CHECK(tokenizer->adds_bos());
  Pieces without;
  without.flags["add_space_prefix"] = false;
  CHECK(make_tokenizer(without.metadata())->encode("hello", SpecialTokens::parse) == Ids{pieces.id("hello")});
}

TEST_CASE("a character without a token becomes its bytes, and what is no character U+FFFD's") {
  const auto tokenizer = make_tokenizer(Pieces().metadata());
  CHECK(tokenizer->encode("h\u00e9", SpecialTokens::parse) == Ids{Pieces().id("\u2581h"), 3 + 0xC3, 3 + 0xA9});
  const Ids replaced = {Pieces().id("\u2581h"), 3 + 0xEF, 3 + 0xBF, 3 + 0xBD};
  CHECK(tokenizer->encode("h\xFF", SpecialTokens::parse) == replaced);
}

TEST_CASE("the space before a text is taken off again, once, and a stream's past never changes") {
  const Pieces pieces;
  const auto tokenizer = make_tokenizer(pieces.metadata());
  const TokenId hello = pieces.id("\u2581hello");
  CHECK(tokenizer->decode({hello, hello}) == "hello hello");
  CHECK(tokenizer->decode({1, hello, hello}) == "hello hello");
  CHECK(tokenizer->decode({pieces.id("\u2581"), hello}) == " hello");
  CHECK(tokenizer->decode({3 + ' ', hello}) == "  hello");  // a space of bytes was in the text
  CHECK(tokenizer->decode_token(hello) == " hello");
  StreamDecoder decoder(*tokenizer);
  CHECK(decoder.push(1).empty());
  CHECK(decoder.push(hello) == "hello");
  CHECK(decoder.push(3 + 0xC3).empty());
  CHECK(decoder.push(3 + 0xA9) == "\u00e9");
}

TEST_CASE("a unigram model takes the best way as a whole") {
  Pieces pieces;
  pieces.model = "t5";
  pieces.add("\u2581hel", -2, 1);
  pieces.add("lo", -2, 1);
  const auto tokenizer = make_tokenizer(pieces.metadata());
  CHECK(tokenizer->encode("hello", SpecialTokens::parse) == Ids{pieces.id("\u2581hel"), pieces.id("lo")});
}

TEST_CASE("in sentencepiece's unigram models a user-defined symbol is worth more the longer it is") {
  for (const double score : {-0.85, -0.95}) {
    Pieces pieces;
    pieces.model = "t5";
    pieces.add("xy", 0, 4);
    pieces.add("z", -1, 1);
    pieces.add("xyz", score, 1);
    TokenizerSource source = gguf(pieces.metadata());
    source.is_sentencepiece = true;
    const Ids whole = {pieces.id("\u2581"), pieces.id("xyz")};
    const Ids cut = {pieces.id("\u2581"), pieces.id("xy"), pieces.id("z")};
    CHECK(make_tokenizer(source)->encode("xyz", SpecialTokens::parse) == (score > 0.1 - 1 ? whole : cut));
  }
}

TEST_CASE("sentencepiece's unigram models tell close ways apart at the end of a long text, too") {
  Pieces pieces;
  pieces.model = "t5";
  pieces.add("w", -8, 1);
  pieces.add("pq", -2, 1);
  pieces.add("p", -1, 1);
  pieces.add("q", -0.999, 1);
  TokenizerSource source = gguf(pieces.metadata());
  source.is_sentencepiece = true;
  const Ids ids = make_tokenizer(source)->encode(std::string(25'010, 'w') + "pq", SpecialTokens::parse);
  CHECK(Ids(ids.end() - 2, ids.end()) == Ids{pieces.id("p"), pieces.id("q")});
}

TEST_CASE("WordPiece takes the longest beginnings, and a word that can't be made is unknown") {
  const auto tokenizer = make_tokenizer(bert());
  CHECK(tokenizer->encode("Hello, HE", SpecialTokens::parse) == Ids{3, 1, 4});
  CHECK(tokenizer->encode("hellox", SpecialTokens::parse) == Ids{1});
  CHECK(tokenizer->decode({3, 4, 5}) == "hello hello");
}

TEST_CASE("a megabyte without end takes work in proportion to its length") {
  Pieces unigram;
  unigram.model = "t5";
  const Pipeline pipelines[] = {make_gguf_sentencepiece(gguf(Pieces().metadata())),
                                make_gguf_sentencepiece(gguf(unigram.metadata())), make_gguf_wordpiece(gguf(bert())),
                                make_gguf_bpe(gguf(test::TinyVocabulary().metadata()))};
  for (const Pipeline& pipeline : pipelines) {
    for (const char* unit : {"a", " ", "\u0301", "1", "<", "\u2581"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      CAPTURE(unit);
      const Stretches stretches = {{0, text.size()}};
      PipelineRun run(pipeline, text, stretches);
      (void)run.encode();
      CHECK(run.steps() < 100 * text.size());
    }
  }
}

TEST_CASE("an added token that is found in normalized text stands for that text, its space included") {
  const std::string text = R"({"added_tokens": [{"id": 3, "content": "<tool>", "normalized": true}],
      "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                     {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
      "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                  {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
      "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "b": 2}, "merges": []}})";
  TokenizerSource source("config.json");
  add_tokenizer_json(read_tokenizer_json(text, "tiny.json"), 0, source);
  const auto tokenizer = make_tokenizer(source);
  CHECK(tokenizer->encode("a <tool> b", SpecialTokens::parse) == Ids{0, 1, 3, 0, 2});
  CHECK(tokenizer->decode({0, 1, 3, 0, 2}) == "a <tool> b");
  CHECK(tokenizer->decode({3, 1}) == "<tool>a");
}

TEST_CASE("scores that are missing, too few or no numbers are refused") {
  const auto fails = [](const Pieces& pieces, const std::string& says) {
    CHECK_THROWS_WITH_AS(make_tokenizer(pieces.metadata()), doctest::Contains(says.c_str()), Error);
  };
  Pieces few;
  few.scores.pop_back();
  fails(few, "tokenizer.ggml.scores");
  Pieces no_number;
  no_number.scores[7] = std::numeric_limits<double>::quiet_NaN();
  fails(no_number, "to be finite");
}

}  // namespace emelex
