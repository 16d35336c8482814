#include "text/models/word_piece.h"

#include <algorithm>

#include "text/unicode/utf8.h"

namespace emelex {
namespace {

// Longer tokens are never found, so that a vocabulary of very long ones can't make this slow.
constexpr size_t kMostPieceBytes = 512;

}  // namespace

WordPiece::WordPiece(const Vocabulary& vocabulary, Options options)
    : vocabulary_(vocabulary), options_(std::move(options)) {}

WordPiece::Piece WordPiece::longest(std::string_view prefix, std::string_view rest) const {
  const size_t most = std::min(vocabulary_.longest(), kMostPieceBytes);
  const size_t room = most - std::min(most, prefix.size());
  std::string name(prefix);
  name += rest.substr(0, room);
  for (size_t size = name.size() - prefix.size(); size > 0; --size) {
    // A token ends where a character does.
    const bool ends = size == rest.size() || (static_cast<unsigned char>(rest[size]) & 0xC0U) != 0x80;
    if (!ends) continue;
    const TokenId id = vocabulary_.find_mergeable(std::string_view(name).substr(0, prefix.size() + size));
    if (id >= 0) return {id, size};
  }
  return {-1, 0};
}

void WordPiece::encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const {
  const size_t before = ids.size();
  bool known = utf8_length(word) <= options_.most_characters;
  for (size_t at = 0; known && at < word.size();) {
    scratch.steps += std::min(vocabulary_.longest(), kMostPieceBytes);  // at most
    const Piece piece = longest(at == 0 ? options_.first_prefix : options_.next_prefix, word.substr(at));
    known = piece.id >= 0;
    if (known) ids.push_back(piece.id);
    at += piece.size;
  }
  if (known) return;
  ids.resize(before);
  if (options_.unknown >= 0) ids.push_back(options_.unknown);
}

void WordLevel::encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& /*scratch*/) const {
  const TokenId id = vocabulary_.find_mergeable(word);
  if (id >= 0) {
    ids.push_back(id);
  } else if (unknown_ >= 0) {
    ids.push_back(unknown_);
  }
}

}  // namespace emelex
