#include "fuzz/tokenizer_fuzz.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

#include "base/temporary_folder.h"
#include "emelex/error.h"
#include "text/chat/chat_template.h"
#include "text/chat/chat_template_files.h"
#include "text/files/generation_config.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/sentencepiece_file.h"
#include "text/files/tiktoken_file.h"
#include "text/files/tokenizer_factory.h"
#include "text/files/tokenizer_json.h"
#include "text/unicode/utf8.h"
#include "weights/gguf/gguf_reader.h"

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

void use(const ChatTemplate& chat_template) {
  try {
    (void)chat_template.render({{"user", "x"}, {"assistant", "</s>"}});
  } catch (const Error& error) {  // the template's own refusal, too
    expect(error.code() != ErrorCode::internal);
  }
}

// Runs `read`, which reads a tokenizer's file, and uses that tokenizer.
template <class Read>
bool read_and_use(std::string_view text, const Read& read) {
  try {
    TokenizerSource source("fuzz");
    read(source);
    use(*make_tokenizer(source), text);
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
  return read_and_use(text, [&](TokenizerSource& source) {
    const int64_t n_rows = bytes.size() % 3 == 0 ? static_cast<int64_t>(bytes.size() % 300) : 0;
    add_tokenizer_json(read_tokenizer_json(all.substr(0, end), "fuzz.json"), n_rows, source);
  });
}

bool fuzz_gguf_text(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](TokenizerSource& source) {
    const std::shared_ptr<const Weights> weights = read_gguf(bytes, nullptr, "fuzz.gguf");
    const std::shared_ptr<const Metadata> keys(weights, &weights->metadata());
    source = gguf_tokenizer_source(keys);
    (void)read_gguf_sampling(*keys, source.warnings);
    use(*make_chat_template(gguf_chat_templates(*keys), *keys));
  });
}

bool fuzz_folder_text(std::span<const std::byte> bytes) {
  static const TemporaryFolder folder;
  std::string_view rest = text_of(bytes);
  for (const char* name : {"config.json", "generation_config.json", "tokenizer_config.json"}) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    std::ofstream(folder.path() / name, std::ios::binary) << rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::ofstream(folder.path() / "tokenizer.json") << R"({"model": {"type": "WordLevel", "vocab": {"a": 0}},
      "added_tokens": [{"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}]})";
  return read_and_use(kText, [&](TokenizerSource& source) {
    (void)read_hf_sampling(folder.path(), source.warnings);
    add_hf_tokenizer(folder.path(), 3, source);
    use(*make_chat_template(read_hf_chat_templates(folder.path()), source.keys()));
  });
}

bool fuzz_sentencepiece(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](TokenizerSource& source) { add_sentencepiece(bytes, "fuzz.model", source); });
}

bool fuzz_tiktoken(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](TokenizerSource& source) { add_tiktoken(text_of(bytes), "fuzz.tiktoken", source); });
}

bool fuzz_tekken(std::span<const std::byte> bytes) {
  return read_and_use(kText, [&](TokenizerSource& source) { add_tekken(text_of(bytes), "tekken.json", source); });
}

}  // namespace emelex
