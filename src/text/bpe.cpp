#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/hash.h"

namespace emelex {
namespace {

constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr size_t kMostMerges = size_t{1} << 24U;  // the largest vocabularies have 2^19

// Up to this many bytes, looking through all pairs for the best beats keeping a queue of them.
constexpr size_t kShortWord = 48;

// The index of the one space that parts a merge, or npos.
size_t parting_space(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == 0 || space + 1 >= line.size() || line.find(' ', space + 1) != std::string_view::npos) {
    return std::string_view::npos;
  }
  return space;
}

}  // namespace

Bpe::Bpe(const ByteLevelVocabulary& vocabulary, const Metadata& metadata) : seed_(hash_seed()) {
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    byte_tokens_[static_cast<size_t>(byte)] = vocabulary.find({&character, 1});
  }
  const auto* lines = metadata.strings(kMergesKey);
  if (lines == nullptr || lines->size() > kMostMerges) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kMergesKey, " to have at most ", kMostMerges, " merges, got ",
                        lines == nullptr ? "none" : str_cat(lines->size()), " in ", metadata.source()));
  }
  slots_.resize(std::bit_ceil(lines->size() * 2 + 2));
  read_merges(vocabulary, *lines, metadata.source());
}

void Bpe::read_merges(const ByteLevelVocabulary& vocabulary, const std::vector<std::string>& lines,
                      const std::string& source) {
  std::string bytes;
  for (size_t rank = 0; rank < lines.size(); ++rank) {
    const std::string_view line = lines[rank];
    const auto fail = [&](std::string_view expected) {
      throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", expected, ", got ", quote_bytes(line),
                                                   " as merge ", rank, " of ", kMergesKey, " in ", source));
    };
    const size_t space = parting_space(line);
    if (space == std::string_view::npos) fail("two tokens parted by one space");
    bytes.clear();
    if (!append_byte_level(line.substr(0, space), bytes)) fail("tokens of the byte-level alphabet");
    const size_t middle = bytes.size();
    if (!append_byte_level(line.substr(space + 1), bytes)) fail("tokens of the byte-level alphabet");

    const std::string_view product = bytes;
    const Merge merge = {vocabulary.find(product.substr(0, middle)), vocabulary.find(product.substr(middle)),
                         vocabulary.find(product), static_cast<uint32_t>(rank)};
    if (merge.left < 0 || merge.right < 0) fail("a merge of two tokens of the vocabulary");
    if (merge.product < 0) fail("a merge that makes a token of the vocabulary");
    if (!insert(merge)) fail("each merge once");
  }
}

size_t Bpe::slot_of(TokenId left, TokenId right) const {
  const uint64_t key = (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32U) | static_cast<uint32_t>(right);
  return hash_integer(key, seed_) & (slots_.size() - 1);
}

bool Bpe::insert(const Merge& merge) {
  for (size_t slot = slot_of(merge.left, merge.right);; slot = (slot + 1) & (slots_.size() - 1)) {
    Merge& there = slots_[slot];
    if (there.rank == kNoRank) {
      there = merge;
      return true;
    }
    if (there.left == merge.left && there.right == merge.right) return false;
  }
}

const Bpe::Merge& Bpe::find(TokenId left, TokenId right) const {
  for (size_t slot = slot_of(left, right);; slot = (slot + 1) & (slots_.size() - 1)) {
    const Merge& there = slots_[slot];
    if (there.rank == kNoRank || (there.left == left && there.right == right)) return there;
  }
}

void Bpe::merge(std::string_view word, std::vector<TokenId>& ids, Scratch& scratch) const {
  if (word.size() > kShortWord) return merge_long(word, ids, scratch);
  std::array<TokenId, kShortWord> symbols;
  int n = 0;
  for (const char byte : word) {
    const TokenId id = byte_tokens_[static_cast<unsigned char>(byte)];
    if (id >= 0) symbols[static_cast<size_t>(n++)] = id;
  }
  merge_short(symbols.data(), n, ids);
}

void Bpe::merge_short(TokenId* ids, int n, std::vector<TokenId>& out) const {
  std::array<uint32_t, kShortWord> ranks;  // [i]: of merging ids[i] with ids[i + 1]
  std::array<TokenId, kShortWord> products;
  const auto look_up = [&](int i) {
    const Merge& merge = find(ids[i], ids[i + 1]);
    ranks[static_cast<size_t>(i)] = merge.rank;
    products[static_cast<size_t>(i)] = merge.product;
  };
  for (int i = 0; i + 1 < n; ++i) look_up(i);
  while (n > 1) {
    const auto end = ranks.begin() + (n - 1);
    const auto best = std::min_element(ranks.begin(), end);
    if (*best == kNoRank) break;
    const int at = static_cast<int>(best - ranks.begin());
    ids[at] = products[static_cast<size_t>(at)];
    std::copy(ids + at + 2, ids + n, ids + at + 1);
    std::copy(best + 1, end, best);
    std::copy(products.begin() + at + 1, products.begin() + (n - 1), products.begin() + at);
    --n;
    if (at > 0) look_up(at - 1);
    if (at + 1 < n) look_up(at);
  }
  out.insert(out.end(), ids, ids + n);
}

void Bpe::merge_long(std::string_view word, std::vector<TokenId>& out, Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& queue = scratch.queue;
  symbols.clear();
  queue.clear();
  for (const char byte : word) {
    const TokenId id = byte_tokens_[static_cast<unsigned char>(byte)];
    const auto index = static_cast<int32_t>(symbols.size());
    if (id >= 0) symbols.push_back({id, index - 1, index + 1, kNoRank});
  }
  if (symbols.empty()) return;
  symbols.back().next = -1;

  const auto at = [&](int32_t i) -> Scratch::Symbol& { return symbols[static_cast<size_t>(i)]; };
  const auto look_up = [&](int32_t i) {
    Scratch::Symbol& symbol = at(i);
    symbol.rank = symbol.next < 0 ? kNoRank : find(symbol.id, at(symbol.next).id).rank;
    if (symbol.rank == kNoRank) return false;
    queue.push_back((static_cast<uint64_t>(symbol.rank) << 32U) | static_cast<uint32_t>(i));
    return true;
  };
  for (int32_t i = 0; i < static_cast<int32_t>(symbols.size()); ++i) look_up(i);
  std::make_heap(queue.begin(), queue.end(), std::greater<>());

  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const auto i = static_cast<int32_t>(queue.back() & UINT32_MAX);
    const auto rank = static_cast<uint32_t>(queue.back() >> 32U);
    queue.pop_back();
    Scratch::Symbol& symbol = at(i);
    if (symbol.rank != rank) continue;  // its pair has changed since
    Scratch::Symbol& gone = at(symbol.next);
    symbol.id = find(symbol.id, gone.id).product;
    symbol.next = gone.next;
    gone.rank = kNoRank;
    if (symbol.next >= 0) at(symbol.next).previous = i;
    if (look_up(i)) std::push_heap(queue.begin(), queue.end(), std::greater<>());
    if (symbol.previous >= 0 && look_up(symbol.previous)) {
      std::push_heap(queue.begin(), queue.end(), std::greater<>());
    }
  }
  for (int32_t i = 0; i >= 0; i = at(i).next) out.push_back(at(i).id);
}

}  // namespace emelex
