#include "text/models/unigram.h"

#include <algorithm>
#include <cmath>

#include "text/unicode/utf8.h"

namespace emelex {
namespace {

constexpr TokenId kUnknown = -1;
constexpr uint32_t kNotReached = UINT32_MAX;

// From here on single precision tells too few scores apart: sentencepiece's kScoreResetThreshold, since 0.2.2.
constexpr double kLargeScore = 100000;

// Longer tokens are never found, so that a vocabulary of very long ones can't make this slow.
constexpr size_t kMostPieceBytes = 512;

// Takes the score of the place `at` from all that was reached from before it on.
void count_anew(std::vector<ModelScratch::Node>& nodes, size_t at) {
  const double score = nodes[at].score;
  const size_t end = std::min(nodes.size(), at + kMostPieceBytes);
  for (size_t i = at; i < end; ++i) {
    if (nodes[i].begin != kNotReached) nodes[i].score = static_cast<float>(nodes[i].score - score);
  }
}

size_t bytes_of(const Vocabulary& vocabulary) {
  size_t bytes = 0;
  for (TokenId id = 0; id < vocabulary.size(); ++id) bytes += vocabulary.text(id).size();
  return bytes;
}

}  // namespace

Unigram::Unigram(const Vocabulary& vocabulary, std::vector<double> scores, double unknown_score, Options options)
    : tree_(bytes_of(vocabulary)),
      scores_(std::move(scores)),
      unknown_score_(unknown_score),
      options_(std::move(options)) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string_view text = vocabulary.text(id);
    if (!std::isnan(scores_[static_cast<size_t>(id)]) && text.size() <= kMostPieceBytes) tree_.insert(text, id);
  }
}

void Unigram::encode(std::string_view word, std::vector<TokenId>& ids, ModelScratch& scratch) const {
  auto& nodes = scratch.nodes;
  nodes.assign(word.size() + 1, {0, kNotReached, kUnknown});
  nodes[0].begin = 0;
  const auto reach = [&](size_t begin, size_t end, TokenId id, double score) {
    ++scratch.steps;
    double total = score + nodes[begin].score;
    if (options_.single_precision) total = static_cast<float>(total);
    ModelScratch::Node& node = nodes[end];
    if (node.begin != kNotReached && !(total > node.score)) return;
    node = {total, static_cast<uint32_t>(begin), id};
  };
  for (size_t at = 0; at < word.size();) {
    if (options_.single_precision && std::abs(nodes[at].score) > kLargeScore) count_anew(nodes, at);
    const size_t length = utf8_at(word, at).length;
    bool has_character = false;
    tree_.find_beginnings(word.substr(at), [&](size_t size, TokenId id) {
      reach(at, at + size, id, scores_[static_cast<size_t>(id)]);
      has_character |= size == length;
    });
    if (!has_character) reach(at, at + length, kUnknown, unknown_score_);
    at += length;
  }

  // Back from the end; the tokens on the way become a list in front order.
  auto& way = scratch.queue;
  way.clear();
  for (size_t end = word.size(); end > 0; end = nodes[end].begin) way.push_back(end);
  bool after_unknown = false;
  for (auto end = way.rbegin(); end != way.rend(); ++end) {
    const ModelScratch::Node& node = nodes[*end];
    const UnknownRule& rule = options_.unknown;
    const bool is_unknown = node.id == kUnknown && !rule.append_bytes(word.substr(node.begin, *end - node.begin), ids);
    if (node.id != kUnknown) ids.push_back(node.id);
    if (is_unknown && rule.unknown >= 0 && !(rule.fuse && after_unknown)) ids.push_back(rule.unknown);
    after_unknown = is_unknown;
  }
}

}  // namespace emelex
