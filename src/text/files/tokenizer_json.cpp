#include "text/files/tokenizer_json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_rules.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_json_parts.h"
#include "text/models/bpe.h"
#include "text/models/mark_cut.h"
#include "text/models/unigram.h"
#include "text/models/word_piece.h"
#include "text/vocabulary/control_names.h"

namespace emelex {
namespace {

constexpr double kUnknownPenalty = 10;  // how much worse than the worst token a character is that has none

class Builder {
 public:
  explicit Builder(const TokenizerSource& source)
      : source_(source),
        parts_of_json_(source.where()),
        root_(source.json->rest),
        model_(*find_member(root_, "model")) {}

  Pipeline build() {
    const std::string type = model_type();
    const auto normalizers = steps_of(root_, "normalizer", "normalizers");
    const auto cuts = steps_of(root_, "pre_tokenizer", "pretokenizers");
    bytes_last_ = type == "BPE" && is_byte_level_last(normalizers, cuts);
    using Alphabet = Vocabulary::Alphabet;
    parts_.vocabulary = read_gguf_vocabulary(source_, bytes_last_ ? Alphabet::bytes : Alphabet::characters);
    parts_.normalizer = parts_of_json_.normalizer(normalizers);
    parts_.pre_tokenizer = make_cuts(cuts);
    add_tokens();
    parts_.model = make_model(type);
    if (!bytes_last_) parts_.decoder = parts_of_json_.decoder(steps_of(root_, "decoder", "decoders"));
    find_invalid_bytes(normalizers, cuts);
    read_gguf_ends(source_, false, parts_);
    return std::move(parts_);
  }

 private:
  // Files of old have no type, and what the model has tells.
  std::string model_type() const {
    const std::string type = text_of(model_, "type");
    if (!type.empty()) return type;
    if (find_member(model_, "merges") != nullptr) return "BPE";
    if (find_member(model_, "unk_id") != nullptr) return "Unigram";
    return find_member(model_, "continuing_subword_prefix") != nullptr ? "WordPiece" : "WordLevel";
  }

  static bool is_byte_level(const Json* step) { return text_of(*step, "type") == "ByteLevel"; }

  // Then the model can take bytes for themselves, and nothing else is ever seen of the characters that stand for them.
  static bool is_byte_level_last(const std::vector<const Json*>& normalizers, const std::vector<const Json*>& cuts) {
    return !cuts.empty() && is_byte_level(cuts.back()) && std::count_if(cuts.begin(), cuts.end(), is_byte_level) == 1 &&
           std::none_of(normalizers.begin(), normalizers.end(), is_byte_level);
  }

  // A rule that GGUF knows does the same in one pass where it can.
  PreTokenizerPtr make_cuts(const std::vector<const Json*>& cuts) const {
    const auto name = source_.keys().string("tokenizer.ggml.pre");
    const PreTokenizerRule* rule = name && bytes_last_ ? find_pre_tokenizer_rule(*name) : nullptr;
    if (rule != nullptr) return make_pre_tokenizer(*rule);
    return parts_of_json_.pre_tokenizer(cuts, bytes_last_);
  }

  // Where all becomes characters that stand for bytes, what is no UTF-8 does, too.
  void find_invalid_bytes(const std::vector<const Json*>& normalizers, const std::vector<const Json*>& cuts) {
    if (bytes_last_) {
      parts_.keeps_bytes = true;
    } else if (std::any_of(cuts.begin(), cuts.end(), is_byte_level) &&
               std::none_of(normalizers.begin(), normalizers.end(), is_byte_level)) {
      parts_.keeps_bytes = true;
      parts_.invalid_bytes = make_byte_characters();
    }
  }

  void add_tokens() {
    const Json* list = find_member(root_, "added_tokens");
    if (list == nullptr || !list->is_array()) return;
    std::vector<AddedToken> in_text;
    std::vector<AddedToken> in_normalized;
    for (const Json& json : *list) {
      AddedToken token;
      token.text = text_of(json, "content");
      token.id = static_cast<TokenId>(find_member(json, "id")->get<uint64_t>());
      token.control = flag_of(json, "special", false) || is_control_name(token.text);
      token.single_word = flag_of(json, "single_word", false);
      token.lstrip = flag_of(json, "lstrip", false);
      token.rstrip = flag_of(json, "rstrip", false);
      if (!flag_of(json, "normalized", !flag_of(json, "special", false))) {
        in_text.push_back(std::move(token));
        continue;
      }
      if (parts_.normalizer != nullptr) normalize(token);
      in_normalized.push_back(std::move(token));
    }
    // Without a normalizer there is no difference but the order, in which those of the text go first.
    parts_.added = AddedTokens(std::move(in_text));
    parts_.added_normalized = AddedTokens(std::move(in_normalized));
  }

  // What the token is found as is also what it stands for: a "▁" that the normalizer puts before it was a space.
  void normalize(AddedToken& token) {
    std::string changed = parts_.normalizer->apply(token.text, Before::nothing);
    if (changed != token.text) parts_.found_as.emplace(token.id, changed);
    token.text = std::move(changed);
  }

  std::unique_ptr<const TokenModel> make_model(const std::string& type) {
    if (type == "BPE") return make_bpe();
    if (type == "Unigram") return make_unigram();
    if (type == "WordPiece") return make_word_piece();
    if (type == "WordLevel") {
      return std::make_unique<WordLevel>(*parts_.vocabulary, unknown_named("unk_token"));
    }
    parts_of_json_.fail_unsupported("model.type to be one of (BPE, Unigram, WordPiece, WordLevel)", quote_bytes(type));
  }

  TokenId unknown_named(std::string_view key) const {
    const std::string name = text_of(model_, key);
    return name.empty() ? -1 : parts_.vocabulary->find_name(name);
  }

  UnknownRule unknown_rule() const {
    UnknownRule rule;
    rule.unknown = unknown_named("unk_token");
    rule.fuse = flag_of(model_, "fuse_unk", false);
    if (flag_of(model_, "byte_fallback", false)) rule.byte_tokens = parts_.vocabulary->byte_tokens();
    return rule;
  }

  std::unique_ptr<const TokenModel> make_bpe() {
    for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!text_of(model_, key).empty()) {
        parts_of_json_.fail_unsupported(str_cat("no model.", key), quote_bytes(text_of(model_, key)));
      }
    }
    const Json* dropout = find_member(model_, "dropout");
    if (dropout != nullptr && dropout->is_number() && dropout->get<double>() != 0) {
      parts_of_json_.fail_unsupported("no model.dropout", dropout->dump());
    }
    Bpe::Options options{.whole_words = flag_of(model_, "ignore_merges", false), .unknown = unknown_rule()};
    if (!bytes_last_ && !options.whole_words) cut_at_marks();
    return std::make_unique<Bpe>(*parts_.vocabulary, merges(), std::move(options),
                                 TokenSource{"model.merges", source_.where()});
  }

  // Where words may be long, as texts are in models made of sentencepiece's.
  void cut_at_marks() {
    PreTokenizerPtr cut = make_mark_cut_for(*parts_.vocabulary);
    if (cut == nullptr) return;
    std::vector<PreTokenizerPtr> steps;
    if (parts_.pre_tokenizer != nullptr) steps.push_back(std::move(parts_.pre_tokenizer));
    steps.push_back(std::move(cut));
    parts_.pre_tokenizer = make_sequence(std::move(steps));
  }

  std::vector<Bpe::MergeNames> merges() const {
    std::vector<Bpe::MergeNames> merges;
    const std::vector<std::string>& names = source_.merge_names;
    for (size_t i = 0; i + 1 < names.size(); i += 2) merges.push_back({names[i], names[i + 1]});
    if (!names.empty()) return merges;
    const auto* lines = source_.keys().strings("tokenizer.ggml.merges");
    if (lines == nullptr) parts_of_json_.fail_corrupt("model.merges", "none");
    merges.reserve(lines->size());
    for (const std::string_view line : *lines) {
      const size_t space = line.find(' ');
      merges.push_back({line.substr(0, space), line.substr(space + 1)});
    }
    return merges;
  }

  std::unique_ptr<const TokenModel> make_unigram() const {
    const auto numbers = source_.keys().numbers("tokenizer.ggml.scores");
    if (!numbers) parts_of_json_.fail_corrupt("model.vocab to have names with scores", "none");
    std::vector<double> scores = *numbers;
    const size_t n = scores.size();
    double least = std::numeric_limits<double>::max();
    for (size_t i = 0; i < n; ++i) {
      const TokenType type = parts_.vocabulary->type(static_cast<TokenId>(i));
      const bool is_piece = type == TokenType::normal || type == TokenType::user_defined;
      if (!std::isnan(scores[i])) least = std::min(least, scores[i]);  // NaN: the model itself lacks it
      if (!is_piece) scores[i] = std::numeric_limits<double>::quiet_NaN();
    }
    UnknownRule rule = unknown_rule();
    rule.fuse = true;
    const Json* unknown = find_member(model_, "unk_id");
    if (unknown != nullptr && unknown->is_number_unsigned() && unknown->get<uint64_t>() < n) {
      rule.unknown = static_cast<TokenId>(unknown->get<uint64_t>());
    }
    return std::make_unique<Unigram>(*parts_.vocabulary, std::move(scores), least - kUnknownPenalty,
                                     Unigram::Options{std::move(rule), false});
  }

  std::unique_ptr<const TokenModel> make_word_piece() const {
    WordPiece::Options options;
    options.unknown = unknown_named("unk_token");
    options.next_prefix = "##";
    if (const Json* prefix = find_member(model_, "continuing_subword_prefix");
        prefix != nullptr && prefix->is_string()) {
      options.next_prefix = parts_of_json_.inserted(model_, "continuing_subword_prefix");
    }
    options.most_characters = 100;
    if (const Json* most = find_member(model_, "max_input_chars_per_word");
        most != nullptr && most->is_number_unsigned()) {
      options.most_characters = most->get<size_t>();
    }
    return std::make_unique<WordPiece>(*parts_.vocabulary, options);
  }

  const TokenizerSource& source_;
  JsonParts parts_of_json_;
  const Json& root_;
  const Json& model_;
  bool bytes_last_ = false;
  Pipeline parts_;
};

}  // namespace

Pipeline make_json_tokenizer(const TokenizerSource& source) { return Builder(source).build(); }

}  // namespace emelex
