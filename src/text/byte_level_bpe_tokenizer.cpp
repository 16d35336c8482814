#include "text/byte_level_bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/hash.h"
#include "text/utf8.h"

namespace emelex {
namespace {

constexpr std::string_view kPreKey = "tokenizer.ggml.pre";
constexpr size_t kMostTextBytes = (size_t{1} << 31U) - 1;  // places in a text are 32 bits

// Control tokens that end a model's turn, whatever the file's keys say.
constexpr std::array<std::string_view, 10> kEndNames = {
    "<|im_end|>",      "<|eot_id|>", "<|eom_id|>",    "<|end|>",    "<end_of_turn>",
    "<|end_of_text|>", "<|eot|>",    "<|endoftext|>", "<|return|>", "<｜end▁of▁sentence｜>",
};

std::string read_pre_tokenizer_name(const Metadata& metadata) {
  if (auto name = metadata.string(kPreKey)) return *name;
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected ", kPreKey,
                                              " to name how text is cut into words, got none in ", metadata.source()));
}

// The words of one text that were merged already, and where in the result their tokens are. It forgets: a word takes
// the place of any other with the same hash.
class WordCache {
 public:
  struct Entry {
    const char* word = nullptr;
    uint32_t size = 0;
    uint32_t first = 0;  // index of the first token in the result
    uint32_t count = 0;
  };

  explicit WordCache(size_t text_size) : seed_(hash_seed()) {
    constexpr size_t kLeastText = 128;  // a shorter text repeats too little
    constexpr size_t kMostEntries = 1U << 14U;
    if (text_size >= kLeastText) entries_.resize(std::min(std::bit_ceil(text_size / 8), kMostEntries));
  }

  bool enabled() const { return !entries_.empty(); }
  Entry& entry_of(std::string_view word) { return entries_[hash_bytes(word, seed_) & (entries_.size() - 1)]; }

 private:
  std::vector<Entry> entries_;
  uint64_t seed_;
};

}  // namespace

// The state of one call of encode.
class ByteLevelBpeTokenizer::Run {
 public:
  Run(const ByteLevelBpeTokenizer& tokenizer, std::string_view text)
      : tokenizer_(tokenizer), text_(text), cache_(text.size()) {
    if (text.size() > kMostTextBytes) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[tokenizer] expected a text of at most ", kMostTextBytes, " bytes, got ", text.size()));
    }
    ids_.reserve(text.size() / 4 + 8);
  }

  // `control_end`: see SpecialTokenFinder::find.
  template <class ControlEnd>
  std::vector<TokenId> encode(const ControlEnd& control_end) {
    size_t position = 0;
    while (position < text_.size()) {
      const auto special = tokenizer_.specials_.find(text_, position, control_end);
      if (special.id < 0) break;
      encode_plain(text_.substr(position, special.begin - position));
      ids_.push_back(special.id);
      position = special.end;
    }
    return finish(position);
  }

  std::vector<TokenId> finish(size_t position) {
    encode_plain(text_.substr(position));
    return std::move(ids_);
  }

 private:
  void encode_plain(std::string_view text) {
    if (text.empty()) return;
    if (tokenizer_.pre_tokenizer_.rule().nfc) text = composed_.emplace_back(to_nfc(text));
    while (!text.empty()) {
      const size_t valid = valid_utf8_prefix(text);
      encode_valid(text.substr(0, valid));
      size_t end = valid;
      while (end < text.size()) {
        const Utf8Char character = utf8_at(text, end);
        if (character.kind == Utf8Char::Kind::valid) break;
        end += character.length;
      }
      if (end > valid) encode_word(text.substr(valid, end - valid));
      text.remove_prefix(end);
    }
  }

  void encode_valid(std::string_view text) {
    words_.clear();
    tokenizer_.pre_tokenizer_.split(text, words_);
    for (const std::string_view word : words_) encode_word(word);
  }

  void encode_word(std::string_view word) {
    if (!cache_.enabled()) return merge(word);
    WordCache::Entry& entry = cache_.entry_of(word);
    if (entry.word != nullptr && std::string_view(entry.word, entry.size) == word) {
      const size_t end = ids_.size();
      ids_.resize(end + entry.count);
      std::copy_n(ids_.begin() + entry.first, entry.count, ids_.begin() + static_cast<std::ptrdiff_t>(end));
      return;
    }
    const size_t first = ids_.size();
    merge(word);
    entry = {word.data(), static_cast<uint32_t>(word.size()), static_cast<uint32_t>(first),
             static_cast<uint32_t>(ids_.size() - first)};
  }

  void merge(std::string_view word) {
    if (tokenizer_.pre_tokenizer_.rule().whole_words) {
      if (const TokenId id = tokenizer_.vocabulary_.find(word); id >= 0) {
        ids_.push_back(id);
        return;
      }
    }
    tokenizer_.bpe_.merge(word, ids_, scratch_);
  }

  const ByteLevelBpeTokenizer& tokenizer_;
  std::string_view text_;
  WordCache cache_;
  std::vector<TokenId> ids_;
  std::vector<std::string_view> words_;
  std::deque<std::string> composed_;  // texts that the cache points into
  Bpe::Scratch scratch_;
};

ByteLevelBpeTokenizer::ByteLevelBpeTokenizer(const Metadata& metadata)
    : vocabulary_(metadata),
      pre_tokenizer_(read_pre_tokenizer_name(metadata), metadata.source()),
      bpe_(vocabulary_, metadata),
      specials_(vocabulary_),
      ends_(static_cast<size_t>(vocabulary_.size())) {
  bos_ = read_id(metadata, "tokenizer.ggml.bos_token_id");
  eos_ = read_id(metadata, "tokenizer.ggml.eos_token_id");
  const auto adds_bos = metadata.boolean("tokenizer.ggml.add_bos_token");
  if (adds_bos == true && bos_ < 0) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected tokenizer.ggml.bos_token_id, as add_bos_token is true, got none in ",
                        metadata.source()));
  }
  adds_bos_ = adds_bos.value_or(pre_tokenizer_.rule().adds_bos && bos_ >= 0);
  find_end_tokens(metadata);
}

TokenId ByteLevelBpeTokenizer::read_id(const Metadata& metadata, std::string_view key) const {
  if (!metadata.contains(key)) return -1;
  return static_cast<TokenId>(metadata.require_integer(key, 0, vocab_size() - 1));
}

void ByteLevelBpeTokenizer::find_end_tokens(const Metadata& metadata) {
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const TokenId id = read_id(metadata, key); id >= 0) ends_[static_cast<size_t>(id)] = true;
  }
  for (TokenId id = 0; id < vocab_size(); ++id) {
    if (vocabulary_.type(id) != TokenType::control) continue;
    const bool known = std::find(kEndNames.begin(), kEndNames.end(), vocabulary_.bytes(id)) != kEndNames.end();
    if (known) ends_[static_cast<size_t>(id)] = true;
  }
}

std::vector<TokenId> ByteLevelBpeTokenizer::encode(std::string_view text, SpecialTokens special) const {
  Run run(*this, text);
  if (special == SpecialTokens::parse) return run.encode([&](size_t) { return text.size(); });
  if (!specials_.has_user_defined()) return run.finish(0);
  return run.encode([](size_t) { return size_t{0}; });
}

std::vector<TokenId> ByteLevelBpeTokenizer::encode_segments(std::span<const Segment> segments) const {
  std::string text;
  std::vector<std::pair<size_t, size_t>> stretches;  // begin and end of what the template wrote
  for (const Segment& segment : segments) {
    const size_t begin = text.size();
    text += segment.text;
    if (segment.from_message || segment.text.empty()) continue;
    if (!stretches.empty() && stretches.back().second == begin) {
      stretches.back().second = text.size();
    } else {
      stretches.emplace_back(begin, text.size());
    }
  }
  // Places are asked for in rising order.
  auto stretch = stretches.cbegin();
  return Run(*this, text).encode([&](size_t position) {
    while (stretch != stretches.cend() && stretch->second <= position) ++stretch;
    return stretch == stretches.cend() || stretch->first > position ? size_t{0} : stretch->second;
  });
}

std::string ByteLevelBpeTokenizer::decode_token(TokenId id, bool show_special) const {
  if (id < 0 || id >= vocab_size()) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[tokenizer] expected a token id from 0 to ", vocab_size() - 1, ", got ", id));
  }
  if (vocabulary_.type(id) == TokenType::control && !show_special) return {};
  return std::string(vocabulary_.bytes(id));
}

bool ByteLevelBpeTokenizer::is_end(TokenId id) const {
  return id >= 0 && id < vocab_size() && ends_[static_cast<size_t>(id)];
}

std::unique_ptr<Tokenizer> make_byte_level_bpe_tokenizer(const Metadata& metadata) {
  return std::make_unique<ByteLevelBpeTokenizer>(metadata);
}

}  // namespace emelex
