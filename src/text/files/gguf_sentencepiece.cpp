#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/models/bpe.h"
#include "text/models/mark_cut.h"
#include "text/models/unigram.h"
#include "text/pipeline/sentencepiece_normalizer.h"

namespace emelex {
namespace {

constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
constexpr std::string_view kCharsmapKey = "tokenizer.ggml.precompiled_charsmap";

// How much worse than the worst token a character is that has none.
constexpr float kUnknownPenalty = 10;

std::vector<float> read_scores(const TokenizerSource& source, const Vocabulary& vocabulary) {
  const auto numbers = source.keys().numbers(kScoresKey);
  const auto n = static_cast<size_t>(vocabulary.size());
  if (!numbers || numbers->size() != n) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kScoresKey, " to have ", n, " numbers, one for each token, got ",
                        numbers ? numbers->size() : 0, " in ", source.where()));
  }
  std::vector<float> scores(numbers->begin(), numbers->end());
  const auto bad = std::find_if(scores.begin(), scores.end(), [](float score) { return !std::isfinite(score); });
  if (bad != scores.end()) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", kScoresKey, " to be finite, got ", *bad,
                                                 " for token ", bad - scores.begin(), " in ", source.where()));
  }
  return scores;
}

std::shared_ptr<const Charsmap> read_charsmap(const TokenizerSource& source) {
  const auto bytes = source.keys().integers(kCharsmapKey);
  if (!bytes || bytes->empty()) return nullptr;
  std::string blob;
  blob.reserve(bytes->size());
  for (const int64_t byte : *bytes) blob.push_back(static_cast<char>(byte));
  return std::make_shared<const Charsmap>(blob, source.where());
}

// The order in which tokens are merged: higher scores first, equal scores together.
std::vector<uint32_t> ranks_of(const std::vector<float>& scores) {
  std::vector<float> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<uint32_t> ranks;
  ranks.reserve(scores.size());
  for (const float score : scores) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), score, std::greater<>());
    ranks.push_back(static_cast<uint32_t>(at - sorted.begin()));
  }
  return ranks;
}

// What a user-defined symbol is worth in sentencepiece's unigram models since 0.2.2: a long one more than its parts,
// and any more than other tokens, which have logarithms of probabilities. (Before, each was worth -0.1.)
float user_defined_score(size_t bytes) { return static_cast<float>(0.1 * (static_cast<double>(bytes) - 1)); }

// Builds a pipeline of either of sentencepiece's models. Where GGUF's rules (llama.cpp's) differ from sentencepiece's
// own, `original` tells which to follow.
class Builder {
 public:
  explicit Builder(const TokenizerSource& source)
      : source_(source),
        original_(source.is_sentencepiece),
        is_unigram_(source.keys().require_string("tokenizer.ggml.model") == "t5") {}

  Pipeline build() {
    parts_.vocabulary = read_gguf_vocabulary(source_, Vocabulary::Alphabet::characters);
    scores_ = read_scores(source_, *parts_.vocabulary);
    find_added_tokens();
    parts_.normalizer = make_sentencepiece_normalizer(normalizer_options());
    if (is_unigram_) {
      parts_.model = make_unigram();
    } else {
      Bpe::Options options;
      options.unknown = unknown_rule();
      options.parts_unused = original_ && has(TokenType::unused);
      // Which parts an unused token has may be decided anywhere in the text.
      if (!options.parts_unused) parts_.pre_tokenizer = make_mark_cut_for(*parts_.vocabulary);
      parts_.model = std::make_unique<Bpe>(*parts_.vocabulary, ranks_of(scores_), std::move(options));
    }
    using Kind = Decoder::Step::Kind;
    parts_.decoder = Decoder({{Kind::replace, kSpaceMark, " "}, {Kind::byte_fallback, "", ""}}, first_token());
    read_gguf_ends(source_, !is_unigram_, parts_);
    return std::move(parts_);
  }

 private:
  bool flag(std::string_view key, bool otherwise) const { return source_.keys().boolean(key).value_or(otherwise); }
  bool adds_space() const { return flag("tokenizer.ggml.add_space_prefix", true); }
  bool removes_spaces() const { return flag("tokenizer.ggml.remove_extra_whitespaces", false); }

  // Sentencepiece looks for user-defined symbols in what the normalizer made; in a unigram model they compete with
  // other tokens. llama.cpp takes them out of the text first.
  void find_added_tokens() {
    std::vector<AddedToken> in_text;
    std::vector<AddedToken> in_normalized;
    for (AddedToken& token : special_tokens_of(*parts_.vocabulary, source_)) {
      if (token.control || !original_) {
        in_text.push_back(std::move(token));
      } else {
        verbatim_.push_back(token.text);
        if (!is_unigram_) in_normalized.push_back(std::move(token));
      }
    }
    parts_.added = AddedTokens(std::move(in_text));
    parts_.added_normalized = AddedTokens(std::move(in_normalized));
  }

  SentencePieceOptions normalizer_options() const {
    using Prefix = SentencePieceOptions::Prefix;
    SentencePieceOptions options;
    options.charsmap = read_charsmap(source_);
    options.verbatim = verbatim_;
    options.prefix = !adds_space() ? Prefix::never : original_ ? Prefix::after_control : Prefix::after_token;
    options.remove_extra_spaces = removes_spaces();
    options.space_is_suffix = source_.space_is_suffix;
    return options;
  }

  Decoder::First first_token() const {
    if (removes_spaces()) return Decoder::First::one_space_each;
    return adds_space() ? Decoder::First::one_space : Decoder::First::nothing;
  }

  bool has(TokenType type) const {
    for (TokenId id = 0; id < parts_.vocabulary->size(); ++id) {
      if (parts_.vocabulary->type(id) == type) return true;
    }
    return false;
  }

  UnknownRule unknown_rule() const {
    UnknownRule rule;
    rule.fuse = true;
    const int64_t unknown = read_gguf_id(source_.keys(), "tokenizer.ggml.unknown_token_id");
    if (unknown >= 0 && unknown < parts_.vocabulary->size()) rule.unknown = static_cast<TokenId>(unknown);
    for (TokenId id = 0; rule.unknown < 0 && id < parts_.vocabulary->size(); ++id) {
      if (parts_.vocabulary->type(id) == TokenType::unknown) rule.unknown = id;
    }
    if (has(TokenType::byte)) rule.byte_tokens = parts_.vocabulary->byte_tokens();
    return rule;
  }

  std::unique_ptr<const TokenModel> make_unigram() const {
    float least = std::numeric_limits<float>::max();
    for (TokenId id = 0; id < parts_.vocabulary->size(); ++id) {
      if (parts_.vocabulary->type(id) != TokenType::normal) continue;
      least = std::min(least, scores_[static_cast<size_t>(id)]);
    }
    std::vector<double> scores(scores_.size(), std::numeric_limits<double>::quiet_NaN());
    for (size_t i = 0; i < scores.size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      switch (parts_.vocabulary->type(id)) {
        case TokenType::normal:
          scores[i] = scores_[i];
          break;
        case TokenType::unused:
          if (!original_) scores[i] = scores_[i];
          break;
        case TokenType::user_defined:
          scores[i] = original_ ? user_defined_score(parts_.vocabulary->text(id).size()) : 0.0;
          break;
        default:
          break;
      }
    }
    return std::make_unique<Unigram>(*parts_.vocabulary, std::move(scores), least - kUnknownPenalty,
                                     Unigram::Options{unknown_rule(), original_});
  }

  const TokenizerSource& source_;
  bool original_;
  bool is_unigram_;
  std::vector<float> scores_;
  std::vector<std::string> verbatim_;
  Pipeline parts_;
};

}  // namespace

Pipeline make_gguf_sentencepiece(const TokenizerSource& source) { return Builder(source).build(); }

}  // namespace emelex
