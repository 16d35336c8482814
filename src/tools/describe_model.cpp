#include "tools/describe_model.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/engine.h"
#include "model_files/model_files.h"
#include "models/active_weights.h"
#include "models/model.h"
#include "text/files/tokenizer_factory.h"
#include "text/jinja/template.h"
#include "tools/unknown_folder.h"

namespace emelex {
namespace {

// What `get` finds, or nothing where the file has a value of another type.
template <class Get>
auto tolerant(const Get& get) -> decltype(get()) {
  try {
    return get();
  } catch (const Error&) {
    return {};
  }
}

// Reads the keys that begin with the architecture's name, whatever is wrong with them.
class Keys {
 public:
  Keys(const Metadata& metadata, std::string prefix) : metadata_(metadata), prefix_(std::move(prefix)) {}

  std::optional<int64_t> integer(std::string_view key) const {
    return tolerant([&] { return metadata_.integer(name(key)); });
  }
  std::optional<double> number(std::string_view key) const {
    return tolerant([&] { return metadata_.number(name(key)); });
  }
  std::string string(std::string_view key) const {
    return tolerant([&] { return metadata_.string(name(key)); }).value_or("");
  }

  LayerSizes sizes(std::string_view key) const {
    if (const auto one = integer(key)) return {*one};
    auto all = tolerant([&] { return metadata_.integers(name(key)); }).value_or(LayerSizes());
    const bool equal = std::adjacent_find(all.begin(), all.end(), std::not_equal_to<>()) == all.end();
    if (equal && !all.empty()) all.resize(1);
    return all;
  }

 private:
  std::string name(std::string_view key) const { return prefix_ + std::string(key); }

  const Metadata& metadata_;
  std::string prefix_;
};

// "blk.0.attn_q.weight" → "attn_q": what the tensor is in any layer.
std::string tensor_kind(std::string_view name) {
  constexpr std::string_view kBlock = "blk.*.";
  constexpr std::string_view kWeight = ".weight";
  std::string kind;
  while (!name.empty()) {
    const size_t n = std::min(name.find('.'), name.size());
    const std::string_view part = name.substr(0, n);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    kind.append(number ? "*" : part);
    if (n < name.size()) kind += '.';
    name.remove_prefix(std::min(n + 1, name.size()));
  }
  if (kind.starts_with(kBlock)) kind.erase(0, kBlock.size());
  if (kind.ends_with(kWeight)) kind.erase(kind.size() - kWeight.size());
  return kind;
}

int64_t value_count(const Tensor& tensor) {
  int64_t values = 1;
  for (const int64_t n : tensor.shape) values *= n;
  return values;
}

// By type, to be added to.
using Shares = std::map<std::string, TypeShare>;

void add_tensor(Shares& shares, const Tensor& tensor) {
  TypeShare& share = shares[tensor.type_name()];
  share.type = tensor.type_name();
  ++share.tensors;
  share.values += value_count(tensor);
  share.bytes += static_cast<int64_t>(tensor.bytes());
}

std::vector<TypeShare> by_size(const Shares& shares) {
  std::vector<TypeShare> list;
  for (const auto& [type, share] : shares) list.push_back(share);
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return list;
}

int64_t total_bytes(const KindDescription& kind) {
  int64_t bytes = 0;
  for (const TypeShare& share : kind.types) bytes += share.bytes;
  return bytes;
}

void describe_tensors(const Weights& weights, ModelDescription& model) {
  Shares all;
  std::map<std::string, Shares> kinds;
  for (const auto& [name, tensor] : weights.tensors()) {
    add_tensor(all, tensor);
    add_tensor(kinds[tensor_kind(name)], tensor);
  }
  model.types = by_size(all);
  for (const TypeShare& share : model.types) {
    model.parameters += share.values;
    model.weight_bytes += share.bytes;
  }
  for (const auto& [kind, shares] : kinds) model.kinds.push_back({kind, by_size(shares)});
  std::stable_sort(model.kinds.begin(), model.kinds.end(),
                   [](const auto& a, const auto& b) { return total_bytes(a) > total_bytes(b); });
  model.unreadable_tensors = static_cast<int64_t>(weights.unreadable().size());
}

void describe_files(const Weights& weights, ModelDescription& model) {
  for (const std::filesystem::path& file : weights.files()) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(file, error);
    model.files.push_back({file, error ? 0 : static_cast<int64_t>(bytes)});
    model.file_bytes += model.files.back().bytes;
  }
  model.format = model.files.front().path.extension() == ".safetensors" ? "SafeTensors" : "GGUF";
}

void describe_sizes(const Keys& keys, ModelDescription& model) {
  model.layers = keys.integer("block_count");
  model.dim = keys.integer("embedding_length");
  model.context_length = keys.integer("context_length");
  model.heads = keys.sizes("attention.head_count");
  model.kv_heads = keys.sizes("attention.head_count_kv");
  if (model.kv_heads.empty()) model.kv_heads = model.heads;
  model.ffn_dim = keys.sizes("feed_forward_length");
  model.head_dim = keys.integer("attention.key_length");
  if (!model.head_dim && model.dim && model.heads.size() == 1 && model.heads[0] > 0) {
    model.head_dim = *model.dim / model.heads[0];
  }
  model.value_dim = keys.integer("attention.value_length");
  if (!model.value_dim) model.value_dim = model.head_dim;
  model.experts = keys.integer("expert_count");
  if (const LayerSizes used = keys.sizes("expert_used_count"); used.size() == 1) model.experts_used = used.front();
  const Tensor* table = tolerant([&] { return model.weights->find("token_embd.weight"); });
  model.vocab_size = table != nullptr && table->shape.size() == 2 ? table->rows() : keys.integer("vocab_size");
}

// Of experts a token's share, of everything else all.
void count_active(ModelDescription& model) {
  if (!model.experts || !model.experts_used || *model.experts_used < 1 || *model.experts_used > *model.experts) return;
  int64_t active = 0;
  for (const auto& [name, tensor] : model.weights->tensors()) {
    const int64_t values = value_count(tensor);
    active += is_of_experts(name) ? values / *model.experts * *model.experts_used : values;
  }
  model.active_parameters = active;
}

void describe_rope(const Keys& keys, ModelDescription& model) {
  RopeDescription& rope = model.rope;
  rope.dimensions = keys.integer("rope.dimension_count");
  rope.base = keys.number("rope.freq_base");
  rope.scaling = keys.string("rope.scaling.type");
  if (rope.scaling == "none") rope.scaling.clear();
  rope.scaling_factor = keys.number("rope.scaling.factor");
  rope.original_context = keys.integer("rope.scaling.original_context_length");
  rope.has_divisors = model.weights->tensors().contains("rope_freqs.weight");
}

std::optional<TokenDescription> describe_token(const Keys& keys, std::string_view key,
                                               const std::vector<std::string>* tokens) {
  const auto id = keys.integer(key);
  if (!id) return std::nullopt;
  const bool known = tokens != nullptr && *id >= 0 && *id < static_cast<int64_t>(tokens->size());
  return TokenDescription{*id, known ? (*tokens)[static_cast<size_t>(*id)] : ""};
}

void describe_tokenizer(const TokenizerSource& source, ModelDescription& model) {
  const Metadata& metadata = source.keys();
  const Keys keys(metadata, "tokenizer.ggml.");
  TokenizerDescription& tokenizer = model.tokenizer;
  tokenizer.model = keys.string("model");
  if (source.problem) tokenizer.problem = source.problem->what();
  tokenizer.pre = keys.string("pre");
  const auto* tokens = tolerant([&] { return metadata.strings("tokenizer.ggml.tokens"); });
  if (tokens != nullptr) tokenizer.vocab_size = static_cast<int64_t>(tokens->size());
  tokenizer.bos = describe_token(keys, "bos_token_id", tokens);
  tokenizer.eos = describe_token(keys, "eos_token_id", tokens);
  tokenizer.adds_bos = tolerant([&] { return metadata.boolean("tokenizer.ggml.add_bos_token"); });
}

void describe_chat_template(const ChatTemplateSource& source, ChatTemplateDescription& description) {
  using State = ChatTemplateDescription::State;
  const auto own = std::find_if(source.templates.begin(), source.templates.end(),
                                [](const NamedTemplate& one) { return one.name == "default"; });
  if (own == source.templates.end()) return;
  try {
    if (own->error) throw Error(*own->error);
    description.text = own->text;
    const jinja::Template parsed(own->text, source.where);
    description.state = State::readable;
  } catch (const Error& error) {
    description.state = State::unreadable;
    description.reason = error.what();
  }
}

bool is_safetensors(const std::filesystem::path& path) {
  std::error_code error;
  return path.extension() == ".safetensors" || std::filesystem::exists(path / "config.json", error);
}

// Why a model can't be run, as far as that can be told without loading it.
std::string reason_not_to_run(const ModelFiles& files, std::vector<std::string>& warnings) {
  try {
    check_architecture(files.weights->metadata());
    warnings = make_tokenizer(files.tokenizer)->warnings();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

// a × b, or nothing when one is missing, below 0, or too large: sizes come from the file.
std::optional<int64_t> product(std::optional<int64_t> a, std::optional<int64_t> b) {
  if (!a || !b || *a < 0 || *b < 0) return std::nullopt;
  return checked_mul(*a, *b);
}

std::optional<int64_t> sum(std::optional<int64_t> a, std::optional<int64_t> b) {
  if (!a || !b) return std::nullopt;
  return checked_add(*a, *b);
}

// The heads of all layers together.
std::optional<int64_t> total_heads(const LayerSizes& heads, std::optional<int64_t> layers) {
  if (heads.empty()) return std::nullopt;
  if (heads.size() == 1) return product(heads[0], layers);
  std::optional<int64_t> total = 0;
  for (const int64_t n : heads) total = sum(total, product(n, 1));
  return total;
}

void estimate_memory(ModelDescription& model) {
  constexpr int64_t kF16Bytes = 2;
  const auto row = product(sum(model.head_dim, model.value_dim), kF16Bytes);
  model.kv_bytes_per_token = product(total_heads(model.kv_heads, model.layers), row);
  if (!model.context_length || *model.context_length < 1) return;
  model.default_context = std::min<int64_t>(*model.context_length, kDefaultContext);
  model.memory_bytes = sum(product(model.kv_bytes_per_token, model.default_context), model.weight_bytes);
}

}  // namespace

double bits_per_weight(int64_t bytes, int64_t values) {
  return values > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(values) : 0.0;
}

ModelDescription describe_model(const std::filesystem::path& path) {
  ModelDescription model;
  ModelFiles files;
  try {
    files = open_model(path);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported || !is_safetensors(path)) throw;
    files = open_unknown_folder(path);
    model.not_run = error.what();
  }
  model.weights = files.weights;
  model.metadata = gguf_metadata(files);
  const Metadata& metadata = model.weights->metadata();
  const Keys general(metadata, "general.");
  model.name = general.string("name");
  model.architecture = general.string("architecture");
  model.text_part_of = model.weights->facts().text_part_of;
  const Keys keys(metadata, model.architecture + ".");
  describe_files(*model.weights, model);
  describe_tensors(*model.weights, model);
  describe_sizes(keys, model);
  count_active(model);
  model.active_bytes = active_bytes(*model.weights);
  describe_rope(keys, model);
  describe_tokenizer(files.tokenizer, model);
  describe_chat_template(files.templates, model.chat_template);
  if (model.not_run.empty()) model.not_run = reason_not_to_run(files, model.tokenizer.warnings);
  estimate_memory(model);
  return model;
}

}  // namespace emelex
