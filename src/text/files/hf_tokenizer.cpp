#include "text/files/hf_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/generation_config.h"
#include "text/files/json_members.h"
#include "text/files/tokenizer_files.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};
constexpr const char* kBosKey = "tokenizer.ggml.bos_token_id";
constexpr const char* kEosKey = "tokenizer.ggml.eos_token_id";
constexpr const char* kAddsBosKey = "tokenizer.ggml.add_bos_token";

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

// The ids of tokens that tokenizer_config.json names. Where config.json gave one, that stays, but its eos_token ends a
// turn as well.
void add_special_ids(const Json& config, TokenizerSource& source) {
  const std::vector<std::string>* tokens = source.own.strings("tokenizer.ggml.tokens");
  constexpr std::pair<const char*, const char*> kTokens[] = {{"bos_token", kBosKey},
                                                             {"eos_token", kEosKey},
                                                             {"unk_token", "tokenizer.ggml.unknown_token_id"},
                                                             {"pad_token", "tokenizer.ggml.padding_token_id"}};
  for (const auto& [name, key] : kTokens) {
    const std::string text = token_text(config, name);
    const auto at = std::find(tokens->begin(), tokens->end(), text);
    if (text.empty() || at == tokens->end()) continue;
    const auto id = static_cast<uint64_t>(at - tokens->begin());
    if (key == kEosKey) source.ends.ids.push_back(static_cast<int64_t>(id));
    if (!source.own.contains(key)) source.own.add(key, id, 4);
  }
}

}  // namespace

void add_hf_tokenizer(const fs::path& folder, int64_t n_rows, TokenizerSource& source) {
  const HfTokenIds ids = read_hf_token_ids(folder, source.warnings);
  Metadata& keys = source.own;
  if (ids.bos) keys.add(kBosKey, static_cast<uint64_t>(*ids.bos), 4);
  if (!ids.ends.ids.empty()) keys.add(kEosKey, static_cast<uint64_t>(ids.ends.ids.front()), 4);
  add_tokenizer_files(folder, n_rows, source);
  source.ends = ids.ends;
  if (is_there(folder / "tokenizer_config.json")) {
    const Json config = read_config(folder / "tokenizer_config.json");
    add_special_ids(config, source);
    if (const Json* adds = find_member(config, "add_bos_token");
        adds != nullptr && adds->is_boolean() && !keys.contains(kAddsBosKey)) {
      keys.add(kAddsBosKey, adds->get<bool>());
    }
  }
  if (const auto eos = keys.integer(kEosKey)) source.ends.ids.push_back(*eos);
}

TokenizerSource read_hf_tokenizer(const fs::path& folder, int64_t n_rows) {
  TokenizerSource source(path_text(folder));
  try {
    add_hf_tokenizer(folder, n_rows, source);
    return source;
  } catch (const Error& error) {
    TokenizerSource none(path_text(folder));
    none.problem = error;
    return none;
  }
}

}  // namespace emelex
