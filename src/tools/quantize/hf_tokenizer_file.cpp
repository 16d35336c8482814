#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_rules.h"
#include "text/files/tokenizer_factory.h"
#include "tools/quantize/hf_files.h"

namespace emelex {
namespace {

using Json = nlohmann::ordered_json;

// tokenizer.ggml.token_type, as llama.cpp numbers them.
enum TokenKind : int64_t { kControl = 3, kUserDefined = 4, kUnused = 5 };

[[noreturn]] void fail(const Metadata& metadata, std::string_view expected, std::string_view got) {
  throw Error(ErrorCode::unsupported,
              str_cat("[quantize] expected ", expected, ", got ", got, " in ", metadata.source()));
}

const std::vector<std::string>& require_strings(const Metadata& metadata, const char* key) {
  const std::vector<std::string>* strings = metadata.strings(key);
  if (strings == nullptr) fail(metadata, str_cat("a tokenizer with ", key), "none");
  return *strings;
}

std::string dump(const Json& json, const Metadata& metadata) {
  try {
    return json_text(json, 1) + "\n";
  } catch (const nlohmann::json::exception&) {
    fail(metadata, "tokens of valid UTF-8", "others");
  }
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json pre_tokenizer(const PreTokenizerParts& parts) {
  Json steps = Json::array();
  if (parts.digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  for (const std::string& pattern : parts.patterns) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(byte_level(parts.gpt2));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

std::string token_name(const Metadata& metadata, const char* key) {
  const auto id = metadata.integer(key);
  const std::vector<std::string>* tokens = metadata.strings("tokenizer.ggml.tokens");
  return id && tokens != nullptr && *id >= 0 && *id < static_cast<int64_t>(tokens->size())
             ? (*tokens)[static_cast<size_t>(*id)]
             : "";
}

bool adds_bos(const Metadata& metadata, const PreTokenizerRule& rule) {
  return metadata.boolean("tokenizer.ggml.add_bos_token").value_or(rule.adds_bos);
}

// Puts the beginning-of-text token before a text.
Json post_processor(const Metadata& metadata, const PreTokenizerRule& rule) {
  const std::string bos = token_name(metadata, "tokenizer.ggml.bos_token_id");
  if (!adds_bos(metadata, rule) || bos.empty()) return byte_level(true);
  const auto special = [&] { return Json{{"SpecialToken", {{"id", bos}, {"type_id", 0}}}}; };
  const auto sequence = [](const char* id, int type) { return Json{{"Sequence", {{"id", id}, {"type_id", type}}}}; };
  const int64_t id = *metadata.integer("tokenizer.ggml.bos_token_id");
  return {{"type", "TemplateProcessing"},
          {"single", {special(), sequence("A", 0)}},
          {"pair", {special(), sequence("A", 0), sequence("B", 1)}},
          {"special_tokens", {{bos, {{"id", bos}, {"ids", {id}}, {"tokens", {bos}}}}}}};
}

const PreTokenizerRule& require_rule(const Metadata& metadata) {
  const std::string model = metadata.string("tokenizer.ggml.model").value_or("");
  if (model != "gpt2") fail(metadata, "a byte-level BPE tokenizer", quote_bytes(model));
  const std::string pre = metadata.string("tokenizer.ggml.pre").value_or("");
  const PreTokenizerRule* rule = find_pre_tokenizer_rule(pre);
  if (rule == nullptr) fail(metadata, "a tokenizer.ggml.pre that emelex knows", quote_bytes(pre));
  return *rule;
}

}  // namespace

std::string hf_tokenizer_json(const Metadata& metadata) {
  const PreTokenizerRule& rule = require_rule(metadata);
  const auto& tokens = require_strings(metadata, "tokenizer.ggml.tokens");
  const auto kinds = metadata.integers("tokenizer.ggml.token_type").value_or(std::vector<int64_t>(tokens.size(), 1));
  if (kinds.size() != tokens.size()) fail(metadata, "a type for each token", "another number of types");
  Json added = Json::array();
  Json vocabulary = Json::object();
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (kinds[id] == kUnused) continue;
    // Special tokens too: to those that the vocabulary lacks, the tokenizers library gives ids of its own.
    vocabulary[tokens[id]] = id;
    if (kinds[id] != kControl && kinds[id] != kUserDefined) continue;
    added.push_back({{"id", id},
                     {"content", tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", kinds[id] == kControl}});
  }
  const Json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", rule.whole_words},
                      {"vocab", std::move(vocabulary)},
                      {"merges", require_strings(metadata, "tokenizer.ggml.merges")}};
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", std::move(added)},
                     {"normalizer", rule.nfc ? Json{{"type", "NFC"}} : Json(nullptr)},
                     {"pre_tokenizer", pre_tokenizer(parts_of(rule))},
                     {"post_processor", post_processor(metadata, rule)},
                     {"decoder", byte_level(true)},
                     {"model", model}};
  return dump(json, metadata);
}

std::string hf_tokenizer_config_json(const Metadata& metadata) {
  const PreTokenizerRule& rule = require_rule(metadata);
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false},
                 {"add_bos_token", adds_bos(metadata, rule)},
                 {"model_max_length", metadata.integer("llama.context_length").value_or(2048)}};
  constexpr std::pair<const char*, const char*> kTokens[] = {{"bos_token", "tokenizer.ggml.bos_token_id"},
                                                             {"eos_token", "tokenizer.ggml.eos_token_id"},
                                                             {"unk_token", "tokenizer.ggml.unknown_token_id"},
                                                             {"pad_token", "tokenizer.ggml.padding_token_id"}};
  for (const auto& [name, key] : kTokens) {
    if (const std::string token = token_name(metadata, key); !token.empty()) config[name] = token;
  }
  if (const auto source = metadata.string("tokenizer.chat_template")) config["chat_template"] = *source;
  return dump(config, metadata);
}

std::string hf_generation_config_json(const ModelFiles& files) {
  const Metadata& metadata = files.weights->metadata();
  Json config = Json::object();
  const std::unique_ptr<Tokenizer> tokenizer = make_tokenizer(files.tokenizer);
  if (tokenizer->bos() >= 0) config["bos_token_id"] = tokenizer->bos();
  Json ends = Json::array();
  if (tokenizer->eos() >= 0) ends.push_back(tokenizer->eos());
  for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
    if (tokenizer->is_end(id) && id != tokenizer->eos()) ends.push_back(id);
  }
  if (!ends.empty()) config["eos_token_id"] = std::move(ends);
  const SamplingDefaults& sampling = files.sampling;
  if (sampling.temperature) config["do_sample"] = *sampling.temperature > 0;
  if (sampling.temperature && *sampling.temperature > 0) config["temperature"] = *sampling.temperature;
  if (sampling.top_k) config["top_k"] = *sampling.top_k;
  if (sampling.top_p) config["top_p"] = *sampling.top_p;
  if (sampling.min_p) config["min_p"] = *sampling.min_p;
  if (sampling.repeat_penalty) config["repetition_penalty"] = *sampling.repeat_penalty;
  return dump(config, metadata);
}

}  // namespace emelex
