#include "tools/quantize/sentencepiece_keys.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/sentencepiece_file.h"
#include "text/files/tokenizer_json.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/sentencepiece_normalizer.h"
#include "text/unicode/utf8.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {
namespace {

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kScores = "tokenizer.ggml.scores";
constexpr double kSpecialScore = -1000;  // of tokens that text never becomes by merges; llama.cpp's converter's

// Whether the steps before the model do no more than to write spaces as "▁" and to put one before a text.
struct SpaceSteps {
  bool is_sentencepiece = true;
  bool adds_prefix = false;

  explicit SpaceSteps(const Json& root) {
    for (const Json* step : steps_of(root, "normalizer", "normalizers")) read_normalizer(*step);
    for (const Json* step : steps_of(root, "pre_tokenizer", "pretokenizers")) read_pre_tokenizer(*step);
  }

  void read_normalizer(const Json& step) {
    const std::string type = text_of(step, "type");
    if (type == "Prepend" && text_of(step, "prepend") == kSpaceMark) {
      adds_prefix = true;
    } else if (type != "Replace" || !replaces_spaces(step)) {
      is_sentencepiece = false;
    }
  }

  void read_pre_tokenizer(const Json& step) {
    const std::string type = text_of(step, "type");
    const Json* pattern = find_member(step, "pattern");
    if (type == "Metaspace" && text_of(step, "replacement") == kSpaceMark && !flag_of(step, "split", true)) {
      adds_prefix = text_of(step, "prepend_scheme") != "never";
    } else if (type != "Split" || pattern == nullptr || text_of(*pattern, "String") != " ") {
      is_sentencepiece = false;  // a split at spaces has nothing to do: there are none left
    }
  }

  static bool replaces_spaces(const Json& step) {
    const Json* pattern = find_member(step, "pattern");
    return pattern != nullptr && text_of(*pattern, "String") == " " && text_of(step, "content") == kSpaceMark;
  }
};

bool is_one_character(std::string_view text) { return utf8_length(text) == 1; }

// Scores that make sentencepiece's BPE merge in the order of the file. Tokens get the rank of the first merge that
// makes them; that is the same only if all merges of a token follow one another, and if each pair that makes a token is
// a merge.
class MergeScores {
 public:
  MergeScores(const std::vector<std::string>& tokens, const std::vector<int64_t>& types, const std::string& where)
      : tokens_(tokens), where_(where) {
    for (size_t id = 0; id < tokens.size(); ++id) {
      if (types[id] == static_cast<int64_t>(TokenType::normal)) {
        ids_.emplace(tokens[id], id);
      } else {
        others_.insert(tokens[id]);
      }
    }
  }

  std::vector<double> read(const std::vector<std::pair<std::string_view, std::string_view>>& merges) {
    std::vector<double> scores(tokens_.size(), kSpecialScore - static_cast<double>(merges.size()));
    std::unordered_set<std::string_view> made;
    std::string_view last;
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      const auto& [left, right] = merges[rank];
      const auto token = ids_.find(std::string(left) + std::string(right));
      // Other tokens are found in the text before anything is merged.
      if (token == ids_.end() && others_.contains(str_cat(left, right))) continue;
      if (token == ids_.end()) fail(str_cat("merge ", rank, " makes no token"));
      const std::string_view text = token->first;
      if (text != last) {
        if (!made.insert(text).second) fail(str_cat("the merges that make ", quote_bytes(text), " lie apart"));
        scores[token->second] = -static_cast<double>(rank);
        last = text;
      }
      pairs_.insert(pair_key(text, left.size()));
    }
    for (const auto& [text, id] : ids_) check_pairs(text);
    return scores;
  }

 private:
  static std::string pair_key(std::string_view text, size_t cut) { return str_cat(text, '\0', cut); }

  bool may_be_symbol(std::string_view text) const { return is_one_character(text) || ids_.contains(std::string(text)); }

  void check_pairs(std::string_view text) const {
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if ((static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) continue;  // within a character
      if (!may_be_symbol(text.substr(0, cut)) || !may_be_symbol(text.substr(cut))) continue;
      if (!pairs_.contains(pair_key(text, cut))) {
        fail(str_cat(quote_bytes(text.substr(0, cut)), " and ", quote_bytes(text.substr(cut)),
                     " make a token but are no merge"));
      }
    }
  }

  [[noreturn]] void fail(const std::string& got) const {
    throw Error(ErrorCode::unsupported,
                str_cat("[quantize] expected merges that sentencepiece's scores can stand for, got a tokenizer where ",
                        got, ", in ", where_));
  }

  const std::vector<std::string>& tokens_;
  const std::string& where_;
  std::unordered_map<std::string, size_t> ids_;  // of ordinary tokens
  std::unordered_set<std::string> others_;
  std::unordered_set<std::string> pairs_;
};

std::vector<std::pair<std::string_view, std::string_view>> merges_of(const TokenizerSource& source) {
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  const std::vector<std::string>& names = source.merge_names;
  for (size_t i = 0; i + 1 < names.size(); i += 2) merges.emplace_back(names[i], names[i + 1]);
  const auto* lines = source.keys().strings("tokenizer.ggml.merges");
  for (size_t i = 0; lines != nullptr && i < lines->size(); ++i) {
    const std::string_view line = (*lines)[i];
    const size_t space = line.find(' ');
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

// The scores of the tokenizer.model beside the tokenizer.json, where it has the same ordinary tokens.
std::optional<std::vector<double>> scores_beside(const TokenizerSource& source, const std::vector<int64_t>& types) {
  const std::filesystem::path path = std::filesystem::path(source.file).parent_path() / "tokenizer.model";
  if (!is_there(path)) return std::nullopt;
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  if (!is_sentencepiece(file->bytes())) return std::nullopt;
  TokenizerSource model(path_text(path));
  add_sentencepiece(file->bytes(), path_text(path), model);
  if (model.keys().string("tokenizer.ggml.model") != "llama") return std::nullopt;  // unigram
  const std::vector<std::string>& tokens = *source.keys().strings(kTokens);
  const std::vector<std::string>& pieces = *model.keys().strings(kTokens);
  std::vector<double> scores = *model.keys().numbers(kScores);
  for (size_t id = 0; id < tokens.size(); ++id) {
    const bool is_normal = types[id] == static_cast<int64_t>(TokenType::normal);
    if (is_normal && (id >= pieces.size() || pieces[id] != tokens[id])) return std::nullopt;
  }
  scores.resize(tokens.size(), kSpecialScore);
  return scores;
}

bool is_of_kind(const TokenizerSource& source) {
  if (source.json == nullptr || source.ranks_are_ids || source.keys().contains("tokenizer.ggml.model")) return false;
  const Json& root = source.json->rest;
  const Json* model = find_member(root, "model");
  const std::string type = text_of(*model, "type");
  if (type != "BPE" && !type.empty()) return false;
  const SpaceSteps steps(root);
  return steps.is_sentencepiece && flag_of(*model, "byte_fallback", false) && !flag_of(*model, "ignore_merges", false);
}

}  // namespace

std::optional<Metadata> sentencepiece_keys(const TokenizerSource& source) {
  if (!is_of_kind(source)) return std::nullopt;
  const Json& root = source.json->rest;
  const std::string unknown = text_of(*find_member(root, "model"), "unk_token");
  std::vector<std::string> tokens = *source.keys().strings(kTokens);
  std::vector<int64_t> types = *source.keys().integers(kTypes);
  const auto set_type = [&](size_t id, TokenType type) { types[id] = static_cast<int64_t>(type); };
  Metadata keys(source.where());
  for (size_t id = 0; id < tokens.size(); ++id) {
    const bool is_normal = types[id] == static_cast<int64_t>(TokenType::normal);
    if (is_normal && byte_of_name(tokens[id]) >= 0) set_type(id, TokenType::byte);
    if (!unknown.empty() && tokens[id] == unknown) {
      set_type(id, TokenType::unknown);
      keys.add("tokenizer.ggml.unknown_token_id", static_cast<uint64_t>(id), 4);
    }
  }
  auto scores = scores_beside(source, types);
  if (!scores) scores = MergeScores(tokens, types, source.where()).read(merges_of(source));
  for (size_t id = 0; id < tokens.size(); ++id) {
    // llama.cpp looks for these in the text before it writes spaces as "▁".
    if (types[id] == static_cast<int64_t>(TokenType::user_defined)) tokens[id] = replaced(tokens[id], kSpaceMark, " ");
  }
  keys.add("tokenizer.ggml.model", std::string("llama"));
  keys.add("tokenizer.ggml.pre", std::string("default"));
  keys.add(kTokens, std::move(tokens));
  keys.add(kTypes, std::move(types), 4);
  keys.add(kScores, std::move(*scores), 4);
  keys.add("tokenizer.ggml.add_space_prefix", SpaceSteps(root).adds_prefix);
  // Without the key, llama.cpp adds one for this kind.
  keys.add("tokenizer.ggml.add_bos_token", source.keys().boolean("tokenizer.ggml.add_bos_token").value_or(false));
  return keys;
}

}  // namespace emelex
