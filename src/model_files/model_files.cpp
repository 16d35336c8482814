#include "model_files/model_files.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "text/chat/chat_template_files.h"
#include "text/files/generation_config.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/turn_ends.h"

namespace emelex {
namespace {

int64_t embedding_rows(const Weights& weights) {
  try {
    const Tensor* table = weights.find("token_embd.weight");
    if (table != nullptr && table->shape.size() == 2) return table->rows();
  } catch (const Error&) {  // of a type that emelex lacks, which is said when it is needed
  }
  const std::string architecture = weights.metadata().require_string("general.architecture");
  return weights.metadata().integer(str_cat(architecture, ".vocab_size")).value_or(0);
}

ModelFiles with_gguf_keys(std::shared_ptr<const Weights> weights) {
  ModelFiles files;
  const std::shared_ptr<const Metadata> keys(weights, &weights->metadata());
  files.tokenizer = gguf_tokenizer_source(keys);
  files.templates = gguf_chat_templates(*keys);
  files.sampling = read_gguf_sampling(*keys, files.tokenizer.warnings);
  files.weights = std::move(weights);
  return files;
}

void add_sampling(const SamplingDefaults& sampling, Metadata& metadata) {
  const auto add = [&](const char* name, const auto& value) {
    const std::string key = str_cat("general.sampling.", name);
    if (!value || metadata.contains(key)) return;
    using T = std::decay_t<decltype(*value)>;
    if constexpr (std::is_integral_v<T>) {
      metadata.add(key, int64_t{*value}, 4);
    } else {
      metadata.add(key, static_cast<double>(*value), 4);
    }
  };
  add("temp", sampling.temperature);
  add("top_k", sampling.top_k);
  add("top_p", sampling.top_p);
  add("min_p", sampling.min_p);
  add("penalty_repeat", sampling.repeat_penalty);
  add("penalty_last_n", sampling.repeat_window);
}

// Ends of turn beyond eos. GGUF has keys for two more; a list under a key of our own keeps them all.
void add_ends(const TokenizerSource& tokenizer, Metadata& metadata) {
  const auto* tokens = metadata.strings("tokenizer.ggml.tokens");
  if (tokens == nullptr) return;
  const int64_t eos = metadata.integer("tokenizer.ggml.eos_token_id").value_or(-1);
  std::vector<int64_t> all;
  for (const int64_t id : tokenizer.ends.ids) {
    const bool is_new = std::find(all.begin(), all.end(), id) == all.end();
    if (is_new && id >= 0 && id < static_cast<int64_t>(tokens->size())) all.push_back(id);
  }
  std::vector<int64_t> others = all;
  std::erase(others, eos);
  constexpr const char* kKeys[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
  for (size_t i = 0; i < others.size() && i < std::size(kKeys); ++i) {
    if (!metadata.contains(kKeys[i])) metadata.add(kKeys[i], static_cast<uint64_t>(others[i]), 4);
  }
  if (tokenizer.ends.complete && !metadata.contains(kTurnEndsKey)) metadata.add(kTurnEndsKey, std::move(all), 4);
}

}  // namespace

ModelFiles with_folder_files(std::shared_ptr<const Weights> weights, const std::filesystem::path& folder,
                             int64_t n_rows) {
  ModelFiles files;
  files.tokenizer = read_hf_tokenizer(folder, n_rows);
  try {
    files.templates = read_hf_chat_templates(folder);
  } catch (const Error& error) {  // thrown when a template is used, so that raw prompts still work
    files.templates.templates.push_back({"default", "", error});
  }
  files.sampling = read_hf_sampling(folder, files.tokenizer.warnings);
  files.weights = std::move(weights);
  return files;
}

ModelFiles open_model(const std::filesystem::path& path) {
  std::shared_ptr<const Weights> weights = open_weights(path);
  if (!is_there(weights->path() / "config.json")) return with_gguf_keys(std::move(weights));
  const std::filesystem::path folder = weights->path();
  const int64_t n_rows = embedding_rows(*weights);
  return with_folder_files(std::move(weights), folder, n_rows);
}

std::shared_ptr<const Metadata> gguf_metadata(const ModelFiles& files) {
  if (files.tokenizer.shared != nullptr) return files.tokenizer.shared;
  const auto all = std::make_shared<Metadata>(files.weights->metadata());
  for (const auto& [key, value] : files.tokenizer.own.values()) {
    all->remove(key);
    all->add(key, value, files.tokenizer.own.width(key));
  }
  for (const NamedTemplate& one : files.templates.templates) {
    all->add(one.name == "default" ? kChatTemplateKey : str_cat(kChatTemplateKey, ".", one.name), one.text);
  }
  add_ends(files.tokenizer, *all);
  add_sampling(files.sampling, *all);
  return all;
}

}  // namespace emelex
