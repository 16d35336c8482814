#include <algorithm>
#include <limits>
#include <set>
#include <unordered_map>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_rules.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_json.h"

namespace emelex {
namespace {

// The largest vocabularies have 262,144 tokens and 514,906 merges of two names each, in 35 MB.
constexpr JsonLimits kLimits{128 << 20, 32, 8'000'000};
constexpr int64_t kMostTokens = int64_t{1} << 24;
constexpr size_t kMostWarnings = 4;  // of one kind

// tokenizer.ggml.token_type, as llama.cpp numbers them.
enum TokenKind : int64_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// Takes model.vocab and model.merges out of the text as they come by; a document of them would be large and slow.
class Builder final : public JsonBuilder {
 public:
  Builder(TokenizerJson& json, const std::string& source) : JsonBuilder(kLimits, "tokenizer", source), json_(json) {}

  bool key(std::string& name) override {
    if (taking_ == Taking::vocabulary) {
      json_.names.push_back(std::move(name));
      return true;
    }
    if (depth() == 1) in_model_ = name == "model";
    next_ = Taking::nothing;
    if (depth() == 2 && in_model_ && name == "vocab") next_ = Taking::vocabulary;
    if (depth() == 2 && in_model_ && name == "merges") next_ = Taking::merges;
    return JsonBuilder::key(name);
  }

  bool start_object(size_t n) override {
    if (taking_ != Taking::nothing) fail_here("an object");
    if (next_ != Taking::vocabulary) return JsonBuilder::start_object(n);
    return begin(n, true);
  }

  bool start_array(size_t n) override {
    if (taking_ != Taking::nothing) return begin_pair();
    if (next_ == Taking::nothing) return JsonBuilder::start_array(n);
    return begin(n, false);
  }

  bool end_object() override {
    end_taking();
    return JsonBuilder::end_object();
  }

  bool end_array() override {
    if (taking_ != Taking::nothing && in_pair_) return end_pair();
    end_taking();
    return JsonBuilder::end_array();
  }

  bool string(std::string& x) override {
    if (taking_ == Taking::nothing) return JsonBuilder::string(x);
    count_value();
    if (taking_ == Taking::merges) {
      if (in_pair_) return add_to_pair(std::move(x));
      return add_line(x);
    }
    if (!in_pair_ || n_in_pair_++ != 0) fail_here("a text");
    json_.names.push_back(std::move(x));
    return true;
  }

  bool number_unsigned(uint64_t x) override {
    if (taking_ == Taking::nothing) return JsonBuilder::number_unsigned(x);
    if (in_pair_) return add_score(static_cast<double>(x));
    count_value();
    if (taking_ != Taking::vocabulary || !is_object_) fail_here("a number");
    json_.ids.push_back(x);
    return true;
  }

  bool number_integer(int64_t x) override {
    if (taking_ == Taking::nothing) return JsonBuilder::number_integer(x);
    return add_score(static_cast<double>(x));
  }

  bool number_float(double x, const std::string& text) override {
    if (taking_ == Taking::nothing) return JsonBuilder::number_float(x, text);
    return add_score(x);
  }

  bool null() override {
    if (taking_ != Taking::nothing) fail_here("null");
    return JsonBuilder::null();
  }

  bool boolean(bool x) override {
    if (taking_ != Taking::nothing) fail_here("a boolean");
    return JsonBuilder::boolean(x);
  }

 private:
  enum class Taking { nothing, vocabulary, merges };

  bool begin(size_t n, bool is_object) {
    taking_ = next_;
    next_ = Taking::nothing;
    is_object_ = is_object;
    if (taking_ == Taking::merges) json_.has_merges = true;
    return is_object ? JsonBuilder::start_object(n) : JsonBuilder::start_array(n);
  }

  void end_taking() { taking_ = next_ = Taking::nothing; }

  bool begin_pair() {
    if (in_pair_ || is_object_) fail_here("an array");
    in_pair_ = true;
    n_in_pair_ = 0;
    return true;
  }

  bool end_pair() {
    if (n_in_pair_ != 2) fail_here(str_cat("an array of ", n_in_pair_));
    in_pair_ = false;
    return true;
  }

  bool add_score(double score) {
    count_value();
    if (taking_ != Taking::vocabulary || !in_pair_ || n_in_pair_++ != 1) fail_here("a number");
    json_.scores.push_back(score);
    return true;
  }

  bool add_to_pair(std::string name) {
    if (n_in_pair_++ > 1) fail_here("more names");
    json_.merges.push_back(std::move(name));
    return true;
  }

  bool add_line(const std::string& line) {
    if (line.starts_with("#version")) return true;  // the first line of a merges.txt
    const size_t space = line.find(' ');
    const bool is_two = space != std::string::npos && space > 0 && space + 1 < line.size();
    if (!is_two || line.find(' ', space + 1) != std::string::npos) {
      fail("merges of two names", quote_bytes(line));
    }
    json_.merges.push_back(line.substr(0, space));
    json_.merges.push_back(line.substr(space + 1));
    return true;
  }

  [[noreturn]] void fail_here(std::string_view got) const {
    if (taking_ == Taking::merges) fail("model.merges to have merges of two names", got);
    fail("model.vocab to have token ids, or names with scores", got);
  }

  TokenizerJson& json_;
  bool in_model_ = false;
  Taking next_ = Taking::nothing;  // what the value of the key that was read last is for
  Taking taking_ = Taking::nothing;
  bool is_object_ = false;
  bool in_pair_ = false;
  int n_in_pair_ = 0;
};

// The vocabulary as arrays, by id.
class Tokens {
 public:
  // `n_rows`: of the embedding; ids from there on are left out. 0: not known.
  Tokens(std::string source, int64_t n_rows)
      : source_(std::move(source)), n_rows_(static_cast<uint64_t>(std::clamp<int64_t>(n_rows, 0, kMostTokens))) {}

  void read(TokenizerJson& json) {
    Json none = Json::array();
    Json* list = json.rest.contains("added_tokens") ? &json.rest["added_tokens"] : &none;
    if (!list->is_array()) list = &none;
    // Files leave ids out, but one large id shall not take memory for all below it.
    constexpr uint64_t kMostLeftOut = 1U << 16U;
    const uint64_t n = json.names.size() + list->size();
    most_ = std::min<uint64_t>(std::max(n * 2 + kMostLeftOut, n_rows_), kMostTokens);
    for (size_t i = 0; i < json.names.size(); ++i) {
      put(json.ids.empty() ? i : json.ids[i], std::move(json.names[i]), kNormal);
    }
    n_vocabulary_ = names_.size();
    add_tokens(*list);
    // Rows of the embedding that have no token get one that no text has, as in GGUF files.
    const size_t size = n_rows_ > 0 ? static_cast<size_t>(n_rows_) : names_.size();
    cut_at(size, *list);
    names_.resize(size);
    kinds_.resize(size, kUnused);
    for (size_t i = 0; i < size; ++i) {
      if (kinds_[i] == kUnused) names_[i] = str_cat("[PAD", i, "]");
    }
  }

  std::vector<std::string>& names() { return names_; }
  std::vector<int64_t>& kinds() { return kinds_; }
  std::vector<TokenId>& only_added() { return only_added_; }
  // Tokens that no merge may make: the embedding has no row for them, or they are special.
  const std::set<std::string>& cut() const { return cut_; }
  std::vector<std::string>& warnings() { return warnings_; }

 private:
  // Hugging Face's tokenizers goes by the texts of added tokens. The id that a file gives for one counts here unless
  // the vocabulary contradicts it. `list` keeps those that are taken, under their ids.
  void add_tokens(Json& list) {
    Json taken = Json::array();
    for (Json& token : list) {
      const Json* id = find_member(token, "id");
      if (id == nullptr || !id->is_number_unsigned()) fail("an id for each of added_tokens", "none");
      const std::string text = text_of(token, "content");
      if (text.empty()) continue;
      const uint64_t at = id_of(text, id->get<uint64_t>());
      // No merge makes a special token: text that looks like one becomes its parts.
      const bool was_ordinary = at != id->get<uint64_t>() && at < n_vocabulary_;
      if (was_ordinary && flag_of(token, "special", false)) cut_.insert(text);
      const bool is_only_added = at >= kinds_.size() || kinds_[at] == kUnused;
      if (is_only_added) only_added_.push_back(static_cast<TokenId>(at));
      put(at, text, flag_of(token, "special", false) ? kControl : kUserDefined);
      if (!ids_.empty()) ids_[text] = at;
      token["id"] = at;
      taken.push_back(std::move(token));
    }
    list = std::move(taken);
  }

  uint64_t id_of(const std::string& text, uint64_t given) {
    if (given >= most_) fail(str_cat("token ids below ", most_), str_cat(given));
    const bool is_free = given >= kinds_.size() || kinds_[given] == kUnused;
    if (!is_free && names_[given] == text) return given;
    if (ids_.empty()) {
      for (size_t i = 0; i < names_.size(); ++i) {
        if (kinds_[i] != kUnused) ids_.emplace(names_[i], i);
      }
    }
    const auto known = ids_.find(text);
    const uint64_t id = known != ids_.end() ? known->second : is_free ? given : names_.size();
    if (id != given && n_renumbered_++ < kMostWarnings) {
      warnings_.push_back(str_cat("added token ", quote_bytes(text), " has the id ", id, " and not ", given,
                                  ", which the vocabulary contradicts (", source_, ")"));
    }
    return id;
  }

  // Leaves out what has an id of `size` or more.
  void cut_at(size_t size, Json& list) {
    if (names_.size() <= size) return;
    const size_t n = names_.size() - size;
    for (size_t i = size; i < names_.size(); ++i) {
      if (kinds_[i] != kUnused && i < n_vocabulary_) cut_.insert(names_[i]);
    }
    Json kept = Json::array();
    for (Json& token : list) {
      if (token["id"].get<uint64_t>() < size) kept.push_back(std::move(token));
    }
    list = std::move(kept);
    std::erase_if(only_added_, [size](TokenId id) { return static_cast<size_t>(id) >= size; });
    warnings_.push_back(str_cat("the tokenizer has ", n, " ids from ", size, " on, which the model's embedding of ",
                                size, " rows lacks; they are left out (", source_, ")"));
  }

  void put(uint64_t id, std::string name, TokenKind kind) {
    if (id >= most_) fail(str_cat("token ids below ", most_), str_cat(id));
    const auto at = static_cast<size_t>(id);
    if (at >= names_.size()) {
      names_.resize(at + 1);
      kinds_.resize(at + 1, kUnused);
    }
    if (kinds_[at] != kUnused && names_[at] != name) {
      fail("each token id once", str_cat(quote_bytes(names_[at]), " and ", quote_bytes(name), " as token ", id));
    }
    names_[at] = std::move(name);
    kinds_[at] = kind;
  }

  [[noreturn]] void fail(std::string_view expected, std::string_view got) const {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", expected, ", got ", got, " in ", source_));
  }

  std::string source_;
  uint64_t n_rows_;
  uint64_t most_ = 0;  // ids
  size_t n_vocabulary_ = 0;
  std::vector<std::string> names_;
  std::vector<int64_t> kinds_;
  std::unordered_map<std::string, uint64_t> ids_;  // of names_; empty until it is needed
  std::vector<TokenId> only_added_;                // ids that model.vocab lacks
  std::set<std::string> cut_;
  std::vector<std::string> warnings_;
  size_t n_renumbered_ = 0;
};

// The merges that make only tokens which the model has; names are left and right in turn.
void leave_out(const std::set<std::string>& cut, std::vector<std::string>& merges) {
  if (cut.empty()) return;
  std::vector<std::string> kept;
  for (size_t i = 0; i + 1 < merges.size(); i += 2) {
    const std::string& left = merges[i];
    const std::string& right = merges[i + 1];
    if (cut.contains(left) || cut.contains(right) || cut.contains(left + right)) continue;
    kept.push_back(left);
    kept.push_back(right);
  }
  merges = std::move(kept);
}

// What the file does as GGUF's rules say it, if they can.
std::string_view gguf_rule_of(const Json& root) {
  PreTokenizerParts parts;
  for (const Json* step : steps_of(root, "pre_tokenizer", "pretokenizers")) {
    const std::string type = text_of(*step, "type");
    const Json* pattern = find_member(*step, "pattern");
    if (type == "ByteLevel" && !flag_of(*step, "add_prefix_space", false)) {
      parts.gpt2 = flag_of(*step, "use_regex", true);
    } else if (type == "Digits" && flag_of(*step, "individual_digits", false)) {
      parts.digits = true;
    } else if (type == "Split" && text_of(*step, "behavior") == "Isolated" && !flag_of(*step, "invert", false) &&
               pattern != nullptr && find_member(*pattern, "Regex") != nullptr) {
      parts.patterns.push_back(text_of(*pattern, "Regex"));
    } else {
      return {};
    }
  }
  const auto normalizers = steps_of(root, "normalizer", "normalizers");
  if (normalizers.size() > 1 || (!normalizers.empty() && text_of(*normalizers.front(), "type") != "NFC")) return {};
  parts.nfc = !normalizers.empty();
  const Json* model = find_member(root, "model");
  if (model == nullptr || flag_of(*model, "byte_fallback", false) || find_member(*model, "unk_token") != nullptr)
    return {};
  parts.whole_words = flag_of(*model, "ignore_merges", false);
  return pre_tokenizer_named_by(parts);
}

void add_merges(std::vector<std::string> names, TokenizerSource& source) {
  const auto has_space = [](const std::string& name) { return name.find(' ') != std::string::npos; };
  if (std::any_of(names.begin(), names.end(), has_space)) {
    source.merge_names = std::move(names);
    return;
  }
  std::vector<std::string> lines;
  lines.reserve(names.size() / 2);
  for (size_t i = 0; i + 1 < names.size(); i += 2) {
    std::string& line = lines.emplace_back(std::move(names[i]));
    line.reserve(line.size() + 1 + names[i + 1].size());
    line += ' ';
    line += names[i + 1];
  }
  source.own.add("tokenizer.ggml.merges", std::move(lines));
}

// Whether the post-processor puts a token before a text, and which; nothing when it doesn't say.
std::optional<std::string> first_token_of(const Json& root) {
  for (const Json* step : steps_of(root, "post_processor", "processors")) {
    const std::string type = text_of(*step, "type");
    if (type == "TemplateProcessing") {
      const Json* single = find_member(*step, "single");
      if (single == nullptr || !single->is_array()) continue;
      const Json* special = single->empty() ? nullptr : find_member(single->front(), "SpecialToken");
      return special == nullptr ? "" : text_of(*special, "id");
    }
    if (type != "BertProcessing" && type != "RobertaProcessing") continue;
    const Json* cls = find_member(*step, "cls");
    if (cls != nullptr && cls->is_array() && !cls->empty() && cls->front().is_string()) {
      return cls->front().get<std::string>();
    }
  }
  return std::nullopt;
}

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& source) {
  TokenizerJson json;
  json.source = source;
  json.rest = Builder(json, source).parse(text);
  const auto fail = [&](std::string_view expected, std::string_view got) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", expected, ", got ", got, " in ", source));
  };
  if (!json.rest.is_object()) fail("a JSON object", json.rest.type_name());
  const Json* model = find_member(json.rest, "model");
  if (model == nullptr || find_member(*model, "vocab") == nullptr) fail("model.vocab to be an object", "none");
  if (!json.ids.empty() ? json.ids.size() != json.names.size() : json.scores.size() != json.names.size()) {
    fail("model.vocab to have a number for each token", "others");
  }
  return json;
}

void add_tokenizer_json(TokenizerJson json, int64_t n_rows, TokenizerSource& source) {
  Metadata& metadata = source.own;
  Tokens tokens(json.source, n_rows);
  source.file = json.source;
  tokens.read(json);
  leave_out(tokens.cut(), json.merges);
  for (std::string& warning : tokens.warnings()) source.warnings.push_back(std::move(warning));
  if (json.has_merges) add_merges(std::move(json.merges), source);
  if (!json.scores.empty()) {
    json.scores.resize(tokens.names().size(), std::numeric_limits<double>::quiet_NaN());
    metadata.add("tokenizer.ggml.scores", std::move(json.scores), 4);
  }
  if (const std::string_view rule = gguf_rule_of(json.rest); !rule.empty()) {
    metadata.add("tokenizer.ggml.model", std::string("gpt2"));
    metadata.add("tokenizer.ggml.pre", std::string(rule));
  }
  if (const auto first = first_token_of(json.rest)) {
    metadata.add("tokenizer.ggml.add_bos_token", !first->empty());
    const auto at = std::find(tokens.names().begin(), tokens.names().end(), *first);
    if (!first->empty() && at != tokens.names().end()) {
      metadata.remove("tokenizer.ggml.bos_token_id");  // config.json's, which only generation goes by
      metadata.add("tokenizer.ggml.bos_token_id", static_cast<uint64_t>(at - tokens.names().begin()), 4);
    }
  }
  metadata.add("tokenizer.ggml.tokens", std::move(tokens.names()));
  metadata.add("tokenizer.ggml.token_type", std::move(tokens.kinds()), 4);
  source.only_added = std::move(tokens.only_added());
  source.json = std::make_shared<const TokenizerJson>(std::move(json));
}

}  // namespace emelex
