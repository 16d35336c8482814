#include "text/files/hf_tokenizer.h"

#include <algorithm>
#include <optional>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/chat/chat_template_files.h"
#include "text/files/tokenizer_files.h"
#include "text/files/tokenizer_json.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};

Json read_config(const fs::path& path) {
  Json config = parse_json(read_text(path), kConfigLimits, "tokenizer", path_text(path));
  if (!config.is_object()) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected a JSON object, got ", config.type_name(), " in ", path_text(path)));
  }
  return config;
}

// "<s>", or {"content": "<s>", …}.
std::string token_text(const Json& config, std::string_view key) {
  const Json* value = find_member(config, key);
  if (value == nullptr) return "";
  return value->is_string() ? value->get<std::string>() : text_of(*value, "content");
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
  const auto architecture = metadata.string("general.architecture").value_or("");
  const int64_t vocab_size = metadata.integer(str_cat(architecture, ".vocab_size")).value_or(0);
  add_tokenizer_files(folder, vocab_size, metadata);
  if (is_there(folder / "tokenizer_config.json")) {
    const Json config = read_config(folder / "tokenizer_config.json");
    add_special_ids(config, metadata);
    if (const Json* adds = find_member(config, "add_bos_token");
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
