#include <doctest/doctest.h>

#include "emelex/tokenizer.h"

using namespace emelex;

namespace {

// Each id is the byte of that number.
class Bytes final : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, SpecialTokens) const override {
    std::vector<TokenId> ids;
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  std::string decode_token(TokenId id, bool) const override { return std::string(1, static_cast<char>(id)); }
  int vocab_size() const override { return 256; }
  TokenId bos() const override { return -1; }
  TokenId eos() const override { return -1; }
  bool adds_bos() const override { return false; }
  bool is_end(TokenId) const override { return false; }
};

std::string streamed(const std::string& bytes) {
  const Bytes tokenizer;
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const char byte : bytes) text += decoder.push(static_cast<unsigned char>(byte));
  return text + decoder.finish();
}

}  // namespace

TEST_CASE("a character appears when its last byte does") {
  const Bytes tokenizer;
  StreamDecoder decoder(tokenizer);
  CHECK(decoder.push('a') == "a");
  CHECK(decoder.push(0xF0).empty());
  CHECK(decoder.push(0x9F).empty());
  CHECK(decoder.push(0x98).empty());
  CHECK(decoder.push(0x80) == "😀");
  CHECK(decoder.finish().empty());
}

TEST_CASE("bytes that can't become a character give one U+FFFD for each maximal part of one") {
  CHECK(streamed("a\x80") == "a\uFFFD");
  CHECK(streamed("\xC0\xAF") == "\uFFFD\uFFFD");
  CHECK(streamed("\xE0\x80\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(streamed("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(streamed("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
  CHECK(streamed("\xE2\x82x") == "\uFFFDx");
  CHECK(streamed("\xF0\x9F\x98\xF0\x9F\x98\x80") == "\uFFFD😀");
  CHECK(streamed("\xF1\x80\x80\xE1\x80\xC2"
                 "b") ==
        "\uFFFD\uFFFD\uFFFD"
        "b");
}

TEST_CASE("a character unfinished at the end becomes one U+FFFD") {
  CHECK(streamed("ab\xF0\x9F\x98") == "ab\uFFFD");
  CHECK(streamed("\xC3") == "\uFFFD");
}

TEST_CASE("decoding a list of ids is the same as streaming them") {
  const Bytes tokenizer;
  const std::string bytes = "x\xFF\xE2\x82\xAC\xE2";
  CHECK(tokenizer.decode(tokenizer.encode(bytes, SpecialTokens::parse)) == streamed(bytes));
}
