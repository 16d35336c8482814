#include "text/vocabulary/vocabulary.h"

#include <algorithm>
#include <bit>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/vocabulary/hash.h"

namespace emelex {
namespace {

constexpr size_t kMostTokens = size_t{1} << 24U;      // the largest vocabularies have 2^18
constexpr size_t kMostTokenBytes = size_t{1} << 16U;  // the longest tokens in use are runs of some hundred spaces
constexpr size_t kMostBytes = size_t{1} << 31U;       // of all tokens; offsets are 32 bits

// Never made by a model from text, only found in it by their names.
bool is_special(TokenType type) { return type == TokenType::control || type == TokenType::user_defined; }

bool is_ordinary(TokenType type) { return type == TokenType::normal || type == TokenType::unused; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

int byte_of_name(std::string_view name) {
  if (name.size() != 6 || !name.starts_with("<0x") || name[5] != '>') return -1;
  const int high = hex_digit(name[3]);
  const int low = hex_digit(name[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void Vocabulary::Table::reserve(size_t n_tokens) {
  slots_.resize(std::bit_ceil(n_tokens * 2 + 1));
  seed_ = hash_seed();
}

TokenId Vocabulary::Table::insert(TokenId id, const Vocabulary& vocabulary) {
  const std::string_view text = vocabulary.text(id);
  const uint64_t hash = hash_bytes(text, seed_);
  const auto tag = static_cast<uint32_t>(hash >> 32U);
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].id < 0) {
      slots_[slot] = {tag, id};
      return -1;
    }
    if (slots_[slot].tag == tag && vocabulary.text(slots_[slot].id) == text) return slots_[slot].id;
  }
}

TokenId Vocabulary::Table::find(std::string_view text, const Vocabulary& vocabulary) const {
  const uint64_t hash = hash_bytes(text, seed_);
  const auto tag = static_cast<uint32_t>(hash >> 32U);
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].id < 0) return -1;
    if (slots_[slot].tag == tag && vocabulary.text(slots_[slot].id) == text) return slots_[slot].id;
  }
}

Vocabulary::Vocabulary(const std::vector<std::string>& tokens, std::vector<TokenType> types, Alphabet alphabet,
                       TokenSource source, const std::vector<TokenId>& only_added)
    : types_(std::move(types)), alphabet_(alphabet), source_(std::move(source)) {
  if (tokens.empty() || tokens.size() > kMostTokens) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", source_.key, " to have 1 to ", kMostTokens,
                                                 " tokens, got ", tokens.size(), " in ", source_.file));
  }
  ordinary_.reserve(tokens.size());
  user_defined_.reserve(static_cast<size_t>(std::count(types_.begin(), types_.end(), TokenType::user_defined)));
  only_added_.resize(tokens.size());
  for (const TokenId id : only_added) only_added_[static_cast<size_t>(id)] = true;
  add_tokens(tokens);
  only_added_ = {};
  check_special_names();
}

void Vocabulary::add_tokens(const std::vector<std::string>& tokens) {
  size_t total = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    total += tokens[i].size();
    if (tokens[i].size() > kMostTokenBytes || total >= kMostBytes) {
      throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected tokens of at most ", kMostTokenBytes,
                                                   " bytes and ", kMostBytes, " in all, got ", tokens[i].size(),
                                                   " for token ", i, " of ", source_.key, " in ", source_.file));
    }
  }
  bytes_.reserve(total);
  begins_.reserve(tokens.size() + 1);
  begins_.push_back(0);
  for (size_t i = 0; i < tokens.size(); ++i) add(static_cast<TokenId>(i), tokens[i]);
}

void Vocabulary::add(TokenId id, std::string_view token) {
  // A name with characters outside the alphabet of bytes stands for itself, and no text is encoded as it.
  const size_t begin = bytes_.size();
  bool ordinary = is_ordinary(type(id));
  if (ordinary && alphabet_ == Alphabet::bytes) ordinary = append_byte_level(token, bytes_);
  if (!ordinary || alphabet_ == Alphabet::characters) bytes_.replace(begin, std::string::npos, token);
  begins_.push_back(static_cast<uint32_t>(bytes_.size()));
  if (type(id) == TokenType::byte && byte_of_name(token) < 0) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected tokens for bytes named <0x00> to <0xFF> in ", source_.key, ", got ",
                        quote_bytes(token), " as token ", id, " in ", source_.file));
  }
  if (token.empty()) return;
  if (ordinary) {
    longest_ = std::max(longest_, bytes_.size() - begin);
    if (const TokenId other = ordinary_.insert(id, *this); other >= 0) fail_twice(other, id);
  } else if (type(id) == TokenType::user_defined && !only_added_[static_cast<size_t>(id)]) {
    longest_ = std::max(longest_, bytes_.size() - begin);
    user_defined_.insert(id, *this);
  }
}

void Vocabulary::fail_twice(TokenId a, TokenId b) const {
  throw Error(ErrorCode::corrupt_file,
              str_cat("[tokenizer] expected each of ", source_.key, " once, got ", quote_bytes(text(a)), " as tokens ",
                      std::min(a, b), " and ", std::max(a, b), " in ", source_.file));
}

void Vocabulary::check_special_names() const {
  std::vector<TokenId> specials;
  for (TokenId id = 0; id < size(); ++id) {
    if (is_special(type(id)) && !text(id).empty()) specials.push_back(id);
  }
  std::sort(specials.begin(), specials.end(), [&](TokenId a, TokenId b) { return text(a) < text(b); });
  for (size_t i = 0; i < specials.size(); ++i) {
    const TokenId id = specials[i];
    if (i > 0 && text(specials[i - 1]) == text(id)) fail_twice(specials[i - 1], id);
    std::string as_bytes;
    if (alphabet_ == Alphabet::bytes && !append_byte_level(text(id), as_bytes)) continue;
    const TokenId ordinary = find(alphabet_ == Alphabet::bytes ? std::string_view(as_bytes) : text(id));
    if (ordinary >= 0) fail_twice(ordinary, id);
  }
}

TokenId Vocabulary::find_name(std::string_view name) const {
  if (name.empty()) return -1;
  std::string as_bytes;
  const bool is_bytes = alphabet_ == Alphabet::bytes && append_byte_level(name, as_bytes);
  const TokenId ordinary = is_bytes ? find(as_bytes) : alphabet_ == Alphabet::characters ? find(name) : -1;
  if (ordinary >= 0) return ordinary;
  for (TokenId id = 0; id < size(); ++id) {
    if (!is_ordinary(type(id)) && text(id) == name) return id;
  }
  return -1;
}

std::vector<TokenId> Vocabulary::byte_tokens() const {
  std::vector<TokenId> tokens(256, -1);
  for (TokenId id = 0; id < size(); ++id) {
    if (const int byte = byte_of_name(text(id)); byte >= 0) tokens[static_cast<size_t>(byte)] = id;
  }
  return tokens;
}

}  // namespace emelex
