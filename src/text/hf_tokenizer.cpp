#include "text/hf_tokenizer.h"

#include <algorithm>
#include <optional>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/chat_template_files.h"
#include "text/pre_tokenizer.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// The largest vocabularies have 262,144 tokens and 514,906 merges of two names each, in 35 MB.
constexpr JsonLimits kTokenizerLimits{128 << 20, 32, 8'000'000};
constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};
constexpr int64_t kMostTokens = int64_t{1} << 24;

// tokenizer.ggml.token_type, as llama.cpp numbers them.
enum TokenKind : int64_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// The JSON text of one file, and errors that name it.
class JsonFile {
 public:
  JsonFile(const fs::path& path, const JsonLimits& limits)
      : source_(path_text(path)), root_(parse_json(read_text(path), limits, "tokenizer", source_)) {
    if (!root_.is_object()) fail(ErrorCode::corrupt_file, "a JSON object", root_.type_name());
  }

  const Json& root() const { return root_; }

  // A member that is no null; nullptr without.
  static const Json* find(const Json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
  }
  const Json* find(std::string_view key) const { return find(root_, key); }

  static bool flag(const Json& object, std::string_view key, bool otherwise) {
    const Json* value = find(object, key);
    return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
  }
  static std::string text(const Json& object, std::string_view key) {
    const Json* value = find(object, key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : "";
  }

  [[noreturn]] void fail(ErrorCode code, std::string_view expected, std::string_view got) const {
    throw Error(code, str_cat("[tokenizer] expected ", expected, ", got ", got, " in ", source_));
  }

 private:
  std::string source_;
  Json root_;
};

// tokenizer.json as the arrays of a GGUF file.
class TokenizerReader {
 public:
  explicit TokenizerReader(const JsonFile& file) : file_(file) {}

  void read(Metadata& metadata);

 private:
  void check_model();
  void read_vocabulary(int64_t least_size);
  void put(int64_t id, const std::string& name, TokenKind kind);
  std::vector<std::string> read_merges() const;
  std::string read_pre_tokenizer() const;
  std::optional<bool> read_adds_bos() const;

  const JsonFile& file_;
  const Json* model_ = nullptr;
  std::vector<std::string> tokens_;
  std::vector<int64_t> kinds_;
};

void TokenizerReader::read(Metadata& metadata) {
  check_model();
  const auto architecture = metadata.require_string("general.architecture");
  read_vocabulary(metadata.integer(str_cat(architecture, ".vocab_size")).value_or(0));
  metadata.add("tokenizer.ggml.model", std::string("gpt2"));
  metadata.add("tokenizer.ggml.pre", read_pre_tokenizer());
  metadata.add("tokenizer.ggml.merges", read_merges());
  metadata.add("tokenizer.ggml.tokens", std::move(tokens_));
  metadata.add("tokenizer.ggml.token_type", std::move(kinds_), 4);
  if (const auto adds = read_adds_bos()) metadata.add("tokenizer.ggml.add_bos_token", *adds);
}

void TokenizerReader::check_model() {
  model_ = file_.find("model");
  const std::string type = model_ == nullptr ? "" : JsonFile::text(*model_, "type");
  // Files of old have no type, and merges tell.
  if (model_ == nullptr || (type != "BPE" && JsonFile::find(*model_, "merges") == nullptr)) {
    file_.fail(ErrorCode::unsupported, "model.type to be 'BPE'", quote_bytes(type));
  }
  if (JsonFile::flag(*model_, "byte_fallback", false)) {
    file_.fail(ErrorCode::unsupported, "byte-level BPE", "BPE with byte_fallback");
  }
}

void TokenizerReader::read_vocabulary(int64_t least_size) {
  const Json* vocabulary = JsonFile::find(*model_, "vocab");
  if (vocabulary == nullptr || !vocabulary->is_object()) {
    file_.fail(ErrorCode::corrupt_file, "model.vocab to be an object", "none");
  }
  for (const auto& [name, id] : vocabulary->items()) {
    if (!id.is_number_unsigned()) file_.fail(ErrorCode::corrupt_file, "token ids in model.vocab", id.type_name());
    put(static_cast<int64_t>(std::min<uint64_t>(id.get<uint64_t>(), kMostTokens)), name, kNormal);
  }
  if (const Json* added = file_.find("added_tokens"); added != nullptr && added->is_array()) {
    for (const Json& token : *added) {
      const Json* id = JsonFile::find(token, "id");
      if (id == nullptr || !id->is_number_unsigned()) {
        file_.fail(ErrorCode::corrupt_file, "an id for each of added_tokens", "none");
      }
      put(static_cast<int64_t>(std::min<uint64_t>(id->get<uint64_t>(), kMostTokens)), JsonFile::text(token, "content"),
          JsonFile::flag(token, "special", false) ? kControl : kUserDefined);
    }
  }
  // Rows of the embedding that have no token get one that no text has, as in GGUF files.
  const auto size = std::max(tokens_.size(), static_cast<size_t>(std::clamp<int64_t>(least_size, 0, kMostTokens)));
  tokens_.resize(size);
  kinds_.resize(size, kUnused);
  for (size_t i = 0; i < size; ++i) {
    if (kinds_[i] == kUnused) tokens_[i] = str_cat("[PAD", i, "]");
  }
}

void TokenizerReader::put(int64_t id, const std::string& name, TokenKind kind) {
  if (id >= kMostTokens) file_.fail(ErrorCode::corrupt_file, str_cat("token ids below ", kMostTokens), str_cat(id));
  const auto at = static_cast<size_t>(id);
  if (at >= tokens_.size()) {
    tokens_.resize(at + 1);
    kinds_.resize(at + 1, kUnused);
  }
  if (kinds_[at] != kUnused && tokens_[at] != name) {
    file_.fail(ErrorCode::corrupt_file, "each token id once",
               str_cat(quote_bytes(tokens_[at]), " and ", quote_bytes(name), " as token ", id));
  }
  tokens_[at] = name;
  kinds_[at] = kind;
}

std::vector<std::string> TokenizerReader::read_merges() const {
  const Json* merges = JsonFile::find(*model_, "merges");
  if (merges == nullptr || !merges->is_array()) file_.fail(ErrorCode::corrupt_file, "model.merges", "none");
  std::vector<std::string> result;
  result.reserve(merges->size());
  for (const Json& merge : *merges) {
    if (merge.is_string()) {
      result.push_back(merge.get<std::string>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      result.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    } else {
      file_.fail(ErrorCode::corrupt_file, "merges of two names", "something else");
    }
  }
  return result;
}

std::string TokenizerReader::read_pre_tokenizer() const {
  const Json* pre = file_.find("pre_tokenizer");
  std::vector<Json> steps;
  if (pre != nullptr && JsonFile::text(*pre, "type") == "Sequence") {
    if (const Json* list = JsonFile::find(*pre, "pretokenizers"); list != nullptr && list->is_array()) {
      steps.assign(list->begin(), list->end());
    }
  } else if (pre != nullptr) {
    steps.push_back(*pre);
  }
  const auto unknown = [&](std::string_view what) {
    file_.fail(ErrorCode::unsupported, "a pre_tokenizer that emelex has", what);
  };
  PreTokenizerParts parts;
  for (const Json& step : steps) {
    const std::string type = JsonFile::text(step, "type");
    if (type == "ByteLevel") {
      if (JsonFile::flag(step, "add_prefix_space", false)) unknown("one that adds a space before the text");
      parts.gpt2 = JsonFile::flag(step, "use_regex", true);
    } else if (type == "Digits" && JsonFile::flag(step, "individual_digits", false)) {
      parts.digits = true;
    } else if (type == "Split" && JsonFile::text(step, "behavior") == "Isolated" &&
               !JsonFile::flag(step, "invert", false)) {
      const Json* pattern = JsonFile::find(step, "pattern");
      parts.patterns.push_back(pattern == nullptr ? "" : JsonFile::text(*pattern, "Regex"));
    } else {
      unknown(quote_bytes(type));
    }
  }
  const Json* normalizer = file_.find("normalizer");
  if (normalizer != nullptr && JsonFile::text(*normalizer, "type") != "NFC") {
    file_.fail(ErrorCode::unsupported, "no normalizer, or NFC", quote_bytes(JsonFile::text(*normalizer, "type")));
  }
  parts.nfc = normalizer != nullptr;
  parts.whole_words = JsonFile::flag(*model_, "ignore_merges", false);
  const std::string_view name = pre_tokenizer_named_by(parts);
  if (name.empty()) unknown(parts.patterns.empty() ? "none of them" : quote_bytes(parts.patterns.front()));
  return std::string(name);
}

// Whether the post-processor puts a token before a text.
std::optional<bool> TokenizerReader::read_adds_bos() const {
  const Json* processor = file_.find("post_processor");
  if (processor == nullptr) return std::nullopt;
  std::vector<Json> steps{*processor};
  if (const Json* list = JsonFile::find(*processor, "processors"); list != nullptr && list->is_array()) {
    steps.assign(list->begin(), list->end());
  }
  for (const Json& step : steps) {
    const Json* single = JsonFile::find(step, "single");
    if (JsonFile::text(step, "type") != "TemplateProcessing" || single == nullptr || !single->is_array()) continue;
    return !single->empty() && JsonFile::find(single->front(), "SpecialToken") != nullptr;
  }
  return std::nullopt;
}

// "<s>", or {"content": "<s>", …}.
std::string token_text(const Json& config, std::string_view key) {
  const Json* value = JsonFile::find(config, key);
  if (value == nullptr) return "";
  return value->is_string() ? value->get<std::string>() : JsonFile::text(*value, "content");
}

// The ids of tokens that tokenizer_config.json names, where config.json gave none.
void add_special_ids(const Json& config, Metadata& metadata) {
  const std::vector<std::string>* tokens = metadata.strings("tokenizer.ggml.tokens");
  constexpr std::pair<const char*, const char*> kTokens[] = {{"bos_token", "tokenizer.ggml.bos_token_id"},
                                                             {"eos_token", "tokenizer.ggml.eos_token_id"},
                                                             {"unk_token", "tokenizer.ggml.unknown_token_id"},
                                                             {"pad_token", "tokenizer.ggml.padding_token_id"}};
  for (const auto& [name, key] : kTokens) {
    const std::string text = token_text(config, name);
    const auto at = std::find(tokens->begin(), tokens->end(), text);
    if (text.empty() || at == tokens->end() || metadata.contains(key)) continue;
    metadata.add(key, static_cast<uint64_t>(at - tokens->begin()), 4);
  }
}

}  // namespace

void add_hf_tokenizer(const fs::path& folder, Metadata& metadata) {
  const fs::path path = folder / "tokenizer.json";
  if (!is_there(path)) {
    throw Error(ErrorCode::unsupported,
                str_cat("[tokenizer] expected tokenizer.json beside the model, got none in ", path_text(folder)));
  }
  const JsonFile file(path, kTokenizerLimits);
  TokenizerReader(file).read(metadata);
  if (is_there(folder / "tokenizer_config.json")) {
    const JsonFile config(folder / "tokenizer_config.json", kConfigLimits);
    add_special_ids(config.root(), metadata);
    if (const Json* adds = config.find("add_bos_token");
        adds != nullptr && adds->is_boolean() && !metadata.contains("tokenizer.ggml.add_bos_token")) {
      metadata.add("tokenizer.ggml.add_bos_token", adds->get<bool>());
    }
  }
  add_hf_chat_templates(folder, metadata);
}

std::shared_ptr<const Weights> open_model(const fs::path& path) {
  auto weights = open_weights(path);
  if (!is_there(weights->path() / "config.json")) return weights;  // a GGUF file has all in it
  Metadata metadata = weights->metadata();
  try {
    Metadata with_tokenizer = metadata;
    add_hf_tokenizer(weights->path(), with_tokenizer);
    metadata = std::move(with_tokenizer);
  } catch (const Error& error) {
    metadata.add(kTokenizerProblemKey, std::string(error.what()));
  }
  return std::make_shared<const Weights>(weights->with_metadata(std::move(metadata)));
}

}  // namespace emelex
