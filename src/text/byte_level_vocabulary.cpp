#include "text/byte_level_vocabulary.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/hash.h"
#include "text/utf8.h"

namespace emelex {
namespace {

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";

constexpr size_t kMostTokens = size_t{1} << 24U;      // the largest vocabularies have 2^18
constexpr size_t kMostTokenBytes = size_t{1} << 16U;  // the longest tokens in use are runs of some hundred spaces
constexpr size_t kMostBytes = size_t{1} << 31U;       // of all tokens; offsets are 32 bits

// The byte that a character stands for, or -1. Printable Latin-1 characters stand for themselves; the 68 other bytes,
// in order, are the characters from U+0100.
constexpr size_t kByteCharacters = 256 + 68;

constexpr std::array<int16_t, kByteCharacters> make_byte_of_character() {
  std::array<int16_t, kByteCharacters> table{};
  table.fill(-1);
  size_t next = 256;
  for (size_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
    table[printable ? byte : next++] = static_cast<int16_t>(byte);
  }
  return table;
}

constexpr auto kByteOfCharacter = make_byte_of_character();

std::vector<TokenType> read_types(const Metadata& metadata, size_t n_tokens) {
  const auto numbers = metadata.integers(kTypesKey);
  const auto fail = [&](const auto& got) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", kTypesKey, " to have ", n_tokens,
                                                 " numbers from 1 to 6, one for each of ", kTokensKey, ", got ", got,
                                                 " in ", metadata.source()));
  };
  if (!numbers) fail("none");
  if (numbers->size() != n_tokens) fail(str_cat(numbers->size(), " numbers"));
  std::vector<TokenType> types;
  types.reserve(n_tokens);
  for (const int64_t number : *numbers) {
    if (number < 1 || number > 6) fail(number);
    types.push_back(static_cast<TokenType>(number));
  }
  return types;
}

bool is_special(TokenType type) { return type == TokenType::control || type == TokenType::user_defined; }

}  // namespace

bool append_byte_level(std::string_view text, std::string& bytes) {
  for (size_t position = 0; position < text.size();) {
    const Utf8Char character = utf8_at(text, position);
    if (character.kind != Utf8Char::Kind::valid || character.code_point >= kByteCharacters) return false;
    const int byte = kByteOfCharacter[character.code_point];
    if (byte < 0) return false;
    bytes.push_back(static_cast<char>(byte));
    position += character.length;
  }
  return true;
}

ByteLevelVocabulary::ByteLevelVocabulary(const Metadata& metadata) : seed_(hash_seed()) {
  const auto* tokens = metadata.strings(kTokensKey);
  if (tokens == nullptr || tokens->empty() || tokens->size() > kMostTokens) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kTokensKey, " to have 1 to ", kMostTokens, " tokens, got ",
                        tokens == nullptr ? 0 : tokens->size(), " in ", metadata.source()));
  }
  types_ = read_types(metadata, tokens->size());
  slots_.resize(std::bit_ceil(tokens->size() * 2));
  add_tokens(*tokens, metadata.source());
  check_special_names(metadata.source());
}

void ByteLevelVocabulary::add_tokens(const std::vector<std::string>& tokens, const std::string& source) {
  begins_.reserve(tokens.size() + 1);
  begins_.push_back(0);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    if (token.size() > kMostTokenBytes || bytes_.size() + token.size() >= kMostBytes) {
      throw Error(ErrorCode::corrupt_file,
                  str_cat("[tokenizer] expected tokens of at most ", kMostTokenBytes, " bytes and ", kMostBytes,
                          " in all, got ", token.size(), " for token ", i, " of ", kTokensKey, " in ", source));
    }
    // A name with characters outside the alphabet of bytes stands for itself, and no text is encoded as it.
    const size_t begin = bytes_.size();
    const bool ordinary = !is_special(types_[i]) && append_byte_level(token, bytes_);
    if (!ordinary) bytes_.replace(begin, std::string::npos, token);
    begins_.push_back(static_cast<uint32_t>(bytes_.size()));
    if (ordinary && !token.empty()) insert(static_cast<TokenId>(i), source);
  }
}

void ByteLevelVocabulary::insert(TokenId id, const std::string& source) {
  const std::string_view name = bytes(id);
  const uint64_t hash = hash_bytes(name, seed_);
  const auto tag = static_cast<uint32_t>(hash >> 32U);
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].id < 0) {
      slots_[slot] = {tag, id};
      return;
    }
    if (slots_[slot].tag == tag && bytes(slots_[slot].id) == name) {
      throw Error(ErrorCode::corrupt_file,
                  str_cat("[tokenizer] expected each of ", kTokensKey, " once, got ", quote_bytes(name), " as tokens ",
                          slots_[slot].id, " and ", id, " in ", source));
    }
  }
}

TokenId ByteLevelVocabulary::find(std::string_view name) const {
  const uint64_t hash = hash_bytes(name, seed_);
  const auto tag = static_cast<uint32_t>(hash >> 32U);
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].id < 0) return -1;
    if (slots_[slot].tag == tag && bytes(slots_[slot].id) == name) return slots_[slot].id;
  }
}

void ByteLevelVocabulary::check_special_names(const std::string& source) const {
  std::vector<TokenId> specials;
  for (TokenId id = 0; id < size(); ++id) {
    if (is_special(type(id)) && !bytes(id).empty()) specials.push_back(id);
  }
  const auto fail = [&](TokenId a, TokenId b) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected each of ", kTokensKey, " once, got ", quote_bytes(bytes(a)),
                        " as tokens ", std::min(a, b), " and ", std::max(a, b), " in ", source));
  };
  std::sort(specials.begin(), specials.end(), [&](TokenId a, TokenId b) { return bytes(a) < bytes(b); });
  for (size_t i = 0; i < specials.size(); ++i) {
    if (i > 0 && bytes(specials[i - 1]) == bytes(specials[i])) fail(specials[i - 1], specials[i]);
    std::string as_bytes;
    if (!append_byte_level(bytes(specials[i]), as_bytes)) continue;
    if (const TokenId ordinary = find(as_bytes); ordinary >= 0) fail(ordinary, specials[i]);
  }
}

}  // namespace emelex
