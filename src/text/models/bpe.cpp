#include "text/models/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/unicode/utf8.h"
#include "text/vocabulary/hash.h"

namespace emelex {
namespace {

constexpr size_t kMostMerges = size_t{1} << 24U;  // the largest vocabularies have 2^19

// Of at most so many tokens all pairs are looked up before there is text, which takes a millisecond for 3,000 of them.
// Larger vocabularies come with rules that cut text into short words, most of which come again.
constexpr int kMostToPair = 1 << 16U;
constexpr size_t kLongestToPair = 256;  // bytes; each token is cut everywhere

// Up to this many bytes, looking through all pairs for the best beats keeping a queue of them.
constexpr size_t kShortWord = 48;

// Appends the text that a name of the file stands for.
bool append_text(const Vocabulary& vocabulary, std::string_view name, std::string& text) {
  if (vocabulary.alphabet() == Vocabulary::Alphabet::bytes) return append_byte_level(name, text);
  text += name;
  return true;
}

}  // namespace

struct Bpe::ByList {
  static Merge find(const Bpe& bpe, std::string_view /*word*/, TokenId left, uint32_t /*begin*/, TokenId right,
                    uint32_t /*end*/) {
    return bpe.find(left, right);
  }
};

struct Bpe::ByText {
  static Merge find(const Bpe& bpe, std::string_view word, TokenId left, uint32_t begin, TokenId right, uint32_t end) {
    if (end - begin > bpe.vocabulary_.longest()) return {};
    // What has no token is in no pair, but may be part of a token.
    if (!bpe.slots_.empty() && left >= 0 && right >= 0) return bpe.find(left, right);
    const TokenId product = bpe.vocabulary_.find_mergeable(word.substr(begin, end - begin));
    if (product < 0) return {};
    return {-1, -1, product, bpe.ranks_[static_cast<size_t>(product)]};
  }
};

Bpe::Bpe(const Vocabulary& vocabulary, Options options)
    : vocabulary_(vocabulary),
      options_(std::move(options)),
      by_bytes_(vocabulary.alphabet() == Vocabulary::Alphabet::bytes),
      seed_(hash_seed()) {
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    byte_tokens_[static_cast<size_t>(byte)] = vocabulary.find_mergeable({&character, 1});
  }
}

Bpe::Bpe(const Vocabulary& vocabulary, const std::vector<MergeNames>& merges, Options options,
         const TokenSource& merge_source)
    : Bpe(vocabulary, std::move(options)) {
  if (merges.size() > kMostMerges) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", merge_source.key, " to have at most ", kMostMerges, " merges, got ",
                        merges.size(), " in ", merge_source.file));
  }
  slots_.resize(std::bit_ceil(merges.size() * 2 + 2));
  read_merges(merges, merge_source);
}

Bpe::Bpe(const Vocabulary& vocabulary, std::vector<uint32_t> ranks, Options options)
    : Bpe(vocabulary, std::move(options)) {
  ranks_ = std::move(ranks);
  if (vocabulary.size() <= kMostToPair && vocabulary.longest() <= kLongestToPair) pair_tokens();
}

void Bpe::pair_tokens() {
  std::vector<Merge> merges;
  for (TokenId product = 0; product < vocabulary_.size(); ++product) {
    const std::string_view text = vocabulary_.text(product);
    const uint32_t rank = ranks_[static_cast<size_t>(product)];
    if (rank == kNoRank || vocabulary_.find_mergeable(text) != product) continue;
    for (size_t middle = 1; middle < text.size(); ++middle) {
      const TokenId left = vocabulary_.find_mergeable(text.substr(0, middle));
      const TokenId right = left < 0 ? -1 : vocabulary_.find_mergeable(text.substr(middle));
      if (right >= 0) merges.push_back({left, right, product, rank});
    }
  }
  slots_.resize(std::bit_ceil(merges.size() * 2 + 2));
  for (const Merge& merge : merges) insert(merge);
}

void Bpe::read_merges(const std::vector<MergeNames>& merges, const TokenSource& source) {
  std::string text;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto fail = [&, left = left, right = right](std::string_view expected) {
      throw Error(ErrorCode::corrupt_file,
                  str_cat("[tokenizer] expected ", expected, ", got ", quote_bytes(str_cat(left, " ", right)),
                          " as merge ", rank, " of ", source.key, " in ", source.file));
    };
    text.clear();
    if (!append_text(vocabulary_, left, text)) fail("tokens of the byte-level alphabet");
    const size_t middle = text.size();
    if (!append_text(vocabulary_, right, text)) fail("tokens of the byte-level alphabet");

    const std::string_view product = text;
    const Merge merge = {vocabulary_.find_mergeable(product.substr(0, middle)),
                         vocabulary_.find_mergeable(product.substr(middle)), vocabulary_.find_mergeable(product),
                         static_cast<uint32_t>(rank)};
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

void Bpe::encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const {
  const bool is_run = options_.whole_run != 0 && word.find_first_not_of(options_.whole_run) == std::string_view::npos;
  if (options_.whole_words || is_run) {
    if (const TokenId id = vocabulary_.find_mergeable(word); id >= 0) return ids.push_back(id);
  }
  if (ranks_.empty()) {
    merge<ByList>(word, ids, scratch);
  } else {
    merge<ByText>(word, ids, scratch);
  }
}

template <class Pairs>
void Bpe::merge(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const {
  if (word.size() > kShortWord || options_.parts_unused) return merge_long<Pairs>(word, ids, scratch);
  scratch.steps += word.size() * word.size();  // at most
  merge_short<Pairs>(word, ids);
}

// Calls symbols(id, begin) for each symbol that a word starts as. What has no token, and nothing to stand for it, is
// left out before merging.
template <class Symbols>
void Bpe::start(std::string_view word, Symbols& symbols) const {
  const bool keeps_unknown = options_.unknown.unknown >= 0 || !options_.unknown.byte_tokens.empty() || !ranks_.empty();
  for (size_t i = 0; i < word.size();) {
    const size_t length = by_bytes_ ? 1 : utf8_at(word, i).length;
    const TokenId id = start_symbol(word.substr(i, length));
    if (id >= 0 || keeps_unknown) symbols(id, static_cast<uint32_t>(i));
    i += length;
  }
}

TokenId Bpe::start_symbol(std::string_view symbol) const {
  return symbol.size() == 1 ? byte_tokens_[static_cast<unsigned char>(symbol[0])] : vocabulary_.find_mergeable(symbol);
}

// A symbol that is left when all is merged.
void Bpe::put(TokenId id, std::string_view text, bool& after_unknown, std::vector<TokenId>& ids) const {
  const UnknownRule& rule = options_.unknown;
  const bool has_none = id < 0 && !rule.append_bytes(text, ids);
  if (id >= 0) ids.push_back(id);
  if (has_none && rule.unknown >= 0 && !(rule.fuse && after_unknown)) ids.push_back(rule.unknown);
  after_unknown = has_none;
}

// The same of an unused token: its parts, and theirs. An unused character is as one that has no token.
void Bpe::put_parts(TokenId id, std::string_view text, const LeftParts& left_parts, bool& after_unknown,
                    std::vector<TokenId>& ids) const {
  std::vector<std::pair<TokenId, std::string_view>> rest = {{id, text}};  // the next is the last
  while (!rest.empty()) {
    const auto [part, part_text] = rest.back();
    rest.pop_back();
    const bool unused = is_unused(part);
    const auto left = unused ? left_parts.find(part) : left_parts.end();
    if (left == left_parts.end()) {
      put(unused ? -1 : part, part_text, after_unknown, ids);
      continue;
    }
    for (const std::string_view piece : {part_text.substr(left->second), part_text.substr(0, left->second)}) {
      rest.emplace_back(vocabulary_.find_mergeable(piece), piece);
    }
  }
}

template <class Pairs>
void Bpe::merge_short(std::string_view word, std::vector<TokenId>& out) const {
  std::array<TokenId, kShortWord> ids;
  std::array<uint32_t, kShortWord + 1> begins;  // in the word
  std::array<uint32_t, kShortWord> ranks;       // [i]: of merging ids[i] with ids[i + 1]
  std::array<TokenId, kShortWord> products;
  size_t n = 0;
  const auto add = [&](TokenId id, uint32_t begin) {
    ids[n] = id;
    begins[n++] = begin;
  };
  start(word, add);
  begins[n] = static_cast<uint32_t>(word.size());
  const auto look_up = [&](size_t i) {
    const Merge& merge = Pairs::find(*this, word, ids[i], begins[i], ids[i + 1], begins[i + 2]);
    ranks[i] = merge.rank;
    products[i] = merge.product;
  };
  for (size_t i = 0; i + 1 < n; ++i) look_up(i);
  while (n > 1) {
    const auto end = ranks.begin() + static_cast<std::ptrdiff_t>(n - 1);
    const auto best = std::min_element(ranks.begin(), end);
    if (*best == kNoRank) break;
    const auto at = static_cast<size_t>(best - ranks.begin());
    ids[at] = products[at];
    std::copy(ids.begin() + at + 2, ids.begin() + n, ids.begin() + at + 1);
    std::copy(begins.begin() + at + 2, begins.begin() + n + 1, begins.begin() + at + 1);
    std::copy(best + 1, end, best);
    std::copy(products.begin() + at + 1, products.begin() + (n - 1), products.begin() + at);
    --n;
    if (at > 0) look_up(at - 1);
    if (at + 1 < n) look_up(at);
  }
  bool after_unknown = false;
  for (size_t i = 0; i < n; ++i) put(ids[i], word.substr(begins[i], begins[i + 1] - begins[i]), after_unknown, out);
}

template <class Pairs>
void Bpe::merge_long(std::string_view word, std::vector<TokenId>& out, ModelScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& queue = scratch.queue;
  symbols.clear();
  queue.clear();
  const auto add = [&](TokenId id, uint32_t begin) {
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, begin, index - 1, index + 1, kNoRank});
  };
  start(word, add);
  if (symbols.empty()) return;
  symbols.back().next = -1;

  const auto at = [&](int32_t i) -> ModelScratch::Symbol& { return symbols[static_cast<size_t>(i)]; };
  const auto end_of = [&](const ModelScratch::Symbol& symbol) {
    return symbol.next < 0 ? static_cast<uint32_t>(word.size()) : at(symbol.next).begin;
  };
  const auto merge_of = [&](const ModelScratch::Symbol& symbol) {
    const ModelScratch::Symbol& next = at(symbol.next);
    return Pairs::find(*this, word, symbol.id, symbol.begin, next.id, end_of(next));
  };
  LeftParts left_parts;
  const auto look_up = [&](int32_t i) {
    ModelScratch::Symbol& symbol = at(i);
    const Merge merge = symbol.next < 0 ? Merge{} : merge_of(symbol);
    symbol.rank = merge.rank;
    if (symbol.rank == kNoRank) return false;
    if (options_.parts_unused && is_unused(merge.product)) {
      left_parts[merge.product] = at(symbol.next).begin - symbol.begin;
    }
    queue.push_back((static_cast<uint64_t>(symbol.rank) << 32U) | static_cast<uint32_t>(i));
    return true;
  };
  for (int32_t i = 0; i < static_cast<int32_t>(symbols.size()); ++i) look_up(i);
  std::make_heap(queue.begin(), queue.end(), std::greater<>());

  scratch.steps += symbols.size();
  while (!queue.empty()) {
    ++scratch.steps;
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const auto i = static_cast<int32_t>(queue.back() & UINT32_MAX);
    const auto rank = static_cast<uint32_t>(queue.back() >> 32U);
    queue.pop_back();
    ModelScratch::Symbol& symbol = at(i);
    if (symbol.rank != rank) continue;  // its pair has changed since
    symbol.id = merge_of(symbol).product;
    ModelScratch::Symbol& gone = at(symbol.next);
    symbol.next = gone.next;
    gone.rank = kNoRank;
    if (symbol.next >= 0) at(symbol.next).previous = i;
    if (symbol.previous >= 0 && look_up(symbol.previous)) {
      std::push_heap(queue.begin(), queue.end(), std::greater<>());
    }
    if (look_up(i)) std::push_heap(queue.begin(), queue.end(), std::greater<>());
  }
  bool after_unknown = false;
  for (int32_t i = 0; i >= 0; i = at(i).next) {
    const ModelScratch::Symbol& symbol = at(i);
    const std::string_view text = word.substr(symbol.begin, end_of(symbol) - symbol.begin);
    if (options_.parts_unused && is_unused(symbol.id)) {
      put_parts(symbol.id, text, left_parts, after_unknown, out);
    } else {
      put(symbol.id, text, after_unknown, out);
    }
  }
}

}  // namespace emelex
