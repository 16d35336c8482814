#include "fuzz/tokenizer_fuzz.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "emelex/error.h"
#include "text/files/sentencepiece_file.h"
#include "text/files/tiktoken_file.h"
#include "text/files/tokenizer_factory.h"
#include "text/files/tokenizer_json.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

// As fuzz_check.h's, which is about weights.
void expect(bool condition) {
  if (!condition) __builtin_trap();
}

constexpr std::string_view kText =
    "Hello  wörld, it's 1234!\n\t<s>▁a 日本語 e\xCC\x81 \xFF\xE2\x82 👩🏽‍🚀 </s><unk> ab";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void use(const Tokenizer& tokenizer, std::string_view text) {
  expect(tokenizer.vocab_size() > 0);
  for (const SpecialTokens special : {SpecialTokens::parse, SpecialTokens::as_text}) {
    const std::vector<TokenId> ids = tokenizer.encode(text, special);
    for (const TokenId id : ids) expect(id >= 0 && id < tokenizer.vocab_size());
    const std::string decoded = tokenizer.decode(ids);
    expect(valid_utf8_prefix(decoded) == decoded.size());
  }
  const std::string whole(text);
  const size_t half = whole.size() / 2;
  const std::vector<Segment> segments = {{whole.substr(0, half), false}, {whole.substr(half), true}, {"<s>", false}};
  for (const TokenId id : tokenizer.encode_segments(segments)) (void)tokenizer.decode_token(id, true);
}

// Runs `read`, which fills the metadata of a tokenizer's file, and uses that tokenizer.
template <class Read>
bool read_and_use(std::string_view text, const Read& read) {
  try {
    Metadata metadata("fuzz");
    read(metadata);
    use(*make_tokenizer(metadata), text);
    return true;
  } catch (const Error& error) {
    expect(error.code() == ErrorCode::corrupt_file || error.code() == ErrorCode::unsupported);
    const std::string_view message = error.what();
    expect(message.size() < 4000 && message.find('\n') == std::string_view::npos);
    return false;
  }
}

}  // namespace

bool fuzz_tokenizer_json(std::span<const std::byte> bytes) {
  const std::string_view all = text_of(bytes);
  const size_t end = std::min(all.find('\0'), all.size());
  const std::string_view text = end < all.size() ? all.substr(end + 1) : kText;
  return read_and_use(text, [&](Metadata& metadata) {
    add_tokenizer_json(read_tokenizer_json(all.substr(0, end), "fuzz.json"), 0, metadata);
  });
}

bool fuzz_sentencepiece(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](Metadata& metadata) { add_sentencepiece(bytes, "fuzz.model", metadata); });
}

bool fuzz_tiktoken(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](Metadata& metadata) { add_tiktoken(text_of(bytes), "fuzz.tiktoken", metadata); });
}

bool fuzz_tekken(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](Metadata& metadata) { add_tekken(text_of(bytes), "tekken.json", metadata); });
}

}  // namespace emelex
