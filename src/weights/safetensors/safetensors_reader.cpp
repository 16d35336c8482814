#include "weights/safetensors/safetensors_reader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/safetensors/foreign_tensors.h"
#include "weights/safetensors/hf_config.h"
#include "weights/safetensors/mlx_matrices.h"
#include "weights/safetensors/model_files.h"
#include "weights/safetensors/mxfp4_blocks.h"
#include "weights/safetensors/safetensors_header.h"
#include "weights/safetensors/safetensors_index.h"
#include "weights/transposed.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigName = "config.json";
constexpr const char* kFileName = "model.safetensors";
constexpr const char* kIndexName = "model.safetensors.index.json";

[[noreturn]] void fail(ErrorCode code, std::string_view expected, std::string_view got, const fs::path& file) {
  throw Error(code, str_cat("[safetensors] expected ", expected, ", got ", got, " in ", path_text(file)));
}

// A tensor of our own making.
Tensor vector_tensor(const std::string& name, std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return {name, TensorType::f32, {static_cast<int64_t>(owner->size())}, std::as_bytes(std::span(*owner)), owner};
}

class Assembler {
 public:
  Assembler(std::string_view config, const std::vector<SafeTensorsPart>& parts, const fs::path& folder)
      : folder_(folder),
        config_path_(folder / kConfigName),
        config_(read_hf_config(config, path_text(config_path_), folder_name())) {
    for (const SafeTensorsPart& part : parts) add_part(part);
  }

  // Throws Error(not_found) where a file of the index is missed.
  void check_index(const SafeTensorsIndex& index) const;
  std::shared_ptr<const Weights> weights() &&;

 private:
  std::string folder_name() const;
  void add_part(const SafeTensorsPart& part);
  void add_mlx_matrices();
  void add_mxfp4_blocks();
  void add_tensor(const std::string& name, FoundTensor& found);
  void add_tensor(Tensor tensor, const fs::path& file);
  std::optional<std::string> known_name(std::string_view name, const fs::path& file);
  std::optional<int64_t> columns_of(std::string_view name) const;
  bool is_bias_to_leave_out(const std::string& gguf_name, const std::string& name, const FoundTensor& found) const;
  bool has_bias(std::string_view module) const;
  void check_biases() const;
  void tie_output();
  void add_made_tensors();
  void add_ones_to_norms();
  void check_vocabulary() const;

  fs::path folder_;
  fs::path config_path_;
  HfConfig config_;
  FoundTensors found_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> unreadable_;
  std::vector<fs::path> files_;
};

// "SmolLM2-135M", also of "./SmolLM2-135M/" and ".".
std::string Assembler::folder_name() const {
  std::error_code error;
  const fs::path whole = fs::absolute(folder_, error).lexically_normal();
  const std::string name = whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
  return name.empty() ? "model" : name;
}

bool is_same_data(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// A tensor may lie in several files, as long as it is the same in all.
void Assembler::add_part(const SafeTensorsPart& part) {
  files_.push_back(part.path);
  for (SafeTensorsEntry& entry : read_safetensors_header(part.bytes, part.path)) {
    const auto at = found_.find(entry.name);
    if (at == found_.end()) {
      const std::string name = entry.name;
      found_.emplace(name, FoundTensor{std::move(entry), &part});
      continue;
    }
    const SafeTensorsEntry& first = at->second.entry;
    if (entry.dtype == first.dtype && entry.shape == first.shape && is_same_data(entry.data, first.data)) continue;
    fail(ErrorCode::unsupported, str_cat("one tensor ", quote_bytes(entry.name)),
         str_cat("another one in ", quote_bytes(at->second.part->path.filename().string())), part.path);
  }
}

// A tensor that the index puts into a file which is not there, and that is nowhere else.
void Assembler::check_index(const SafeTensorsIndex& index) const {
  for (const auto& [tensor, file] : index) {
    if (found_.contains(tensor) || is_there(folder_ / file)) continue;
    fail(ErrorCode::not_found, str_cat("the file ", quote_bytes(file), " beside it, which has ", quote_bytes(tensor)),
         "none (download it too)", folder_ / kIndexName);
  }
}

// The name in GGUF of a tensor in `file`; nothing where it is not the text model's, or is without effect. What no
// module of the family is keeps its name, so that the model which is made of it can refuse it.
std::optional<std::string> Assembler::known_name(std::string_view name, const fs::path& file) {
  const auto part_name = text_part_name(*config_.family, name);
  if (!part_name) return std::nullopt;
  const auto known = gguf_tensor_name(*config_.family, *part_name);
  if (known && (known->ends_with(".weight") || known->ends_with(".bias"))) return known;
  if (is_without_effect(name)) return std::nullopt;
  if (const auto kind = foreign_kind(name)) {
    fail(ErrorCode::unsupported, "plain or MLX-quantized weights under the names that transformers has for them",
         str_cat(quote_bytes(name), ": ", *kind), file);
  }
  return *part_name;
}

// The values in a row of a module's matrix, as the model needs them; nothing where that is not known.
std::optional<int64_t> Assembler::columns_of(std::string_view name) const {
  const auto part_name = text_part_name(*config_.family, name);
  const auto known = part_name ? gguf_tensor_name(*config_.family, *part_name) : std::nullopt;
  if (!known) return std::nullopt;
  const auto size = [&](std::string_view key) {
    return config_.metadata.integer(str_cat(config_.family->architecture, ".", key));
  };
  if (known->find("ffn_down") != std::string::npos) {
    const bool of_experts = known->find("exps") != std::string::npos;
    const auto own = of_experts ? size("expert_feed_forward_length") : std::nullopt;
    return own ? own : size("feed_forward_length");
  }
  if (known->find("attn_output") != std::string::npos) {
    return size("attention.head_count").value_or(0) * size("attention.key_length").value_or(0);
  }
  return size("embedding_length");
}

void Assembler::add_mlx_matrices() {
  for (auto& [name, tensor] : take_mlx_matrices(found_, config_.quantization, config_path_,
                                                [&](const auto& weight) { return columns_of(weight); })) {
    const auto known = known_name(name, folder_);
    if (!known) continue;
    tensor.name = *known;
    add_tensor(std::move(tensor), folder_);
  }
}

void Assembler::add_mxfp4_blocks() {
  if (!config_.quantization.mxfp4_blocks) return;
  for (auto& [name, tensor] : take_mxfp4_blocks(found_)) {
    tensor.name = known_name(name, folder_).value_or(name);
    add_tensor(std::move(tensor), folder_);
  }
}

// Whether config.json says that a module has a bias, which is named as in GGUF and without its layer.
bool Assembler::has_bias(std::string_view module) const {
  return str_cat(" ", config_.biases, " ").find(str_cat(" ", module, " ")) != std::string::npos;
}

// A bias that config.json says is not used: transformers passes it over, and some programs save zeros.
bool Assembler::is_bias_to_leave_out(const std::string& gguf_name, const std::string& name,
                                     const FoundTensor& found) const {
  constexpr std::string_view kBias = ".bias";
  if (!gguf_name.ends_with(kBias) || gguf_name == name) return false;
  std::string_view module = std::string_view(gguf_name).substr(0, gguf_name.size() - kBias.size());
  module.remove_prefix(module.rfind('.') == std::string_view::npos ? 0 : module.rfind('.') + 1);
  if (has_bias(module)) return false;
  const auto& data = found.entry.data;
  if (std::all_of(data.begin(), data.end(), [](std::byte byte) { return byte == std::byte{0}; })) return true;
  fail(ErrorCode::unsupported, str_cat("no bias ", quote_bytes(name), ", as ", kConfigName, " says that there is none"),
       "one", found.part->path);
}

void Assembler::add_tensor(const std::string& name, FoundTensor& found) {
  std::optional<std::string> known = known_name(name, found.part->path);
  if (!known || is_bias_to_leave_out(*known, name, found)) return;
  SafeTensorsEntry& entry = found.entry;
  const auto type = tensor_type_of_dtype(entry.dtype);
  if (!type || entry.data.empty()) {
    unreadable_.emplace(*std::move(known), type ? "no values" : quote_bytes(entry.dtype) + " numbers");
    return;
  }
  if (entry.shape.empty()) entry.shape.push_back(1);
  Tensor tensor{*std::move(known), *type, std::move(entry.shape), entry.data, found.part->owner};
  if (is_transposed(*config_.family, name)) tensor = transposed(tensor);
  add_tensor(std::move(tensor), found.part->path);
}

void Assembler::add_tensor(Tensor tensor, const fs::path& file) {
  const std::string name = tensor.name;
  if (!tensors_.try_emplace(name, std::move(tensor)).second) {
    fail(ErrorCode::corrupt_file, "each tensor once", str_cat(quote_bytes(name), " under two names"), file);
  }
}

bool is_same_tensor(const Tensor& a, const Tensor& b) {
  if (a.type != b.type || a.shape != b.shape || (a.mlx == nullptr) != (b.mlx == nullptr)) return false;
  if (!is_same_data(a.data, b.data)) return false;
  return a.mlx == nullptr || (a.mlx->format == b.mlx->format && is_same_data(a.mlx->scales, b.mlx->scales) &&
                              is_same_data(a.mlx->biases, b.mlx->biases));
}

// Where config.json ties the output to the embedding, transformers takes either for both where only one is there, and
// keeps both where they differ.
void Assembler::tie_output() {
  constexpr std::string_view kTable = "token_embd.weight";
  constexpr std::string_view kOutput = "output.weight";
  const auto output = tensors_.find(kOutput);
  if (!config_.tied || output == tensors_.end() || unreadable_.contains(kTable)) return;
  const auto table = tensors_.find(kTable);
  if (table == tensors_.end()) {
    Tensor only = std::move(output->second);
    only.name = kTable;
    tensors_.erase(output);
    tensors_.emplace(kTable, std::move(only));
  } else if (is_same_tensor(table->second, output->second)) {
    tensors_.erase(output);
  }
}

// transformers would compute with zeros for a bias that is missing, and says so; mlx-lm refuses.
void Assembler::check_biases() const {
  constexpr std::string_view kWeight = ".weight";
  for (const auto& [name, tensor] : tensors_) {
    if (!name.ends_with(kWeight)) continue;
    const std::string whole = name.substr(0, name.size() - kWeight.size());
    const std::string bias = whole + ".bias";
    if (!has_bias(std::string_view(whole).substr(whole.rfind('.') + 1))) continue;
    if (tensors_.contains(bias) || unreadable_.contains(bias)) continue;
    fail(ErrorCode::unsupported,
         str_cat("the tensor ", quote_bytes(bias), ", as ", kConfigName, " says that there is one"), "none", folder_);
  }
}

// GGUF files have these as a tensor.
void Assembler::add_made_tensors() {
  for (auto& [name, values] : config_.tensors) {
    if (values.empty()) continue;  // RoPE turns nothing
    add_tensor(vector_tensor(name, std::move(values)), config_path_);
  }
}

void Assembler::add_ones_to_norms() {
  if (config_.family->norm != HfNorm::rms_less_one) return;
  for (auto& [name, tensor] : tensors_) {
    if (!name.ends_with("norm.weight") || tensor.shape.size() != 1) continue;
    std::vector<float> values(static_cast<size_t>(tensor.columns()));
    tensor.read_rows(0, values);
    for (float& value : values) value += 1.0F;
    tensor = vector_tensor(name, std::move(values));
  }
}

void Assembler::check_vocabulary() const {
  const auto table = tensors_.find("token_embd.weight");
  const auto expected = config_.metadata.integer(str_cat(config_.family->architecture, ".vocab_size"));
  if (table == tensors_.end() || table->second.rows() == expected) return;
  fail(ErrorCode::corrupt_file, str_cat("vocab_size to be the embedding's ", table->second.rows(), " rows"),
       str_cat(expected.value_or(0)), config_path_);
}

std::shared_ptr<const Weights> Assembler::weights() && {
  add_mlx_matrices();
  add_mxfp4_blocks();
  for (auto& [name, found] : found_) add_tensor(name, found);
  check_biases();
  tie_output();
  add_made_tensors();
  add_ones_to_norms();
  check_vocabulary();
  if (!config_.tied && !tensors_.contains("output.weight") && !unreadable_.contains("output.weight")) {
    fail(ErrorCode::unsupported, "the tensor 'lm_head.weight', or tie_word_embeddings to be true",
         "neither (a model without its output, as an embedding model is)", config_path_);
  }
  return std::make_shared<const Weights>(folder_, std::move(config_.metadata), std::move(tensors_),
                                         std::move(unreadable_), std::move(files_), std::move(config_.facts));
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

SafeTensorsPart open_part(const fs::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  if (text_of(*file).starts_with("version https://git-lfs")) {
    fail(ErrorCode::corrupt_file, "tensors", "a Git LFS pointer (the model itself was not downloaded)", path);
  }
  return {file->bytes(), file, path};
}

std::shared_ptr<const Weights> read_parts(const fs::path& folder, const std::vector<SafeTensorsPart>& parts,
                                          const SafeTensorsIndex& index = {}) {
  check_is_text_model(folder);
  const std::shared_ptr<const MappedFile> config = MappedFile::open(folder / kConfigName);
  return read_safetensors(text_of(*config), parts, folder, index);
}

std::vector<SafeTensorsPart> open_parts(const fs::path& folder, const std::set<std::string>& names) {
  std::vector<SafeTensorsPart> parts;
  for (const std::string& name : names) parts.push_back(open_part(folder / name));
  return parts;
}

// An index may be older than the files beside it: what lies in these counts, as for mlx-lm. So files that it names and
// that are not there are no fault as long as no tensor is missed (check_index looks).
std::shared_ptr<const Weights> open_indexed(const fs::path& folder) {
  const fs::path index_path = folder / kIndexName;
  const std::shared_ptr<const MappedFile> index_file = MappedFile::open(index_path);
  const auto index = read_safetensors_index(text_of(*index_file), path_text(index_path));
  std::set<std::string> names = shards_in(folder);
  std::string missing;
  for (const auto& [tensor, file] : index) {
    if (is_there(folder / file)) {
      names.insert(file);
    } else {
      missing = file;
    }
  }
  if (names.empty()) {
    fail(ErrorCode::not_found, str_cat("the file ", quote_bytes(missing), " beside it"), "none (download it too)",
         index_path);
  }
  return read_parts(folder, open_parts(folder, names), index);
}

}  // namespace

std::shared_ptr<const Weights> read_safetensors(std::string_view config, const std::vector<SafeTensorsPart>& parts,
                                                const fs::path& folder, const SafeTensorsIndex& index) {
  Assembler assembler(config, parts, folder);
  assembler.check_index(index);
  return std::move(assembler).weights();
}

std::shared_ptr<const Weights> open_safetensors_folder(const fs::path& folder) {
  if (!is_there(folder / kConfigName)) refuse_folder_without_config(folder);
  if (is_there(folder / kFileName)) return read_parts(folder, {open_part(folder / kFileName)});
  if (is_there(folder / kIndexName)) return open_indexed(folder);
  const std::set<std::string> shards = shards_in(folder);
  if (shards.empty()) refuse_folder_without_weights(folder);
  return read_parts(folder, open_parts(folder, shards));
}

std::shared_ptr<const Weights> open_safetensors_file(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  refuse_file_of_another_kind(path);
  if (is_one_of_several(path.stem().string())) {
    if (is_there(folder / kIndexName)) return open_indexed(folder);
    return read_parts(folder, open_parts(folder, shards_in(folder)));
  }
  if (!is_there(folder / kConfigName)) {
    throw Error(ErrorCode::not_found,
                str_cat("[safetensors] expected ", kConfigName, " beside ", path_text(path), ", got none"));
  }
  return read_parts(folder, {open_part(path)});
}

}  // namespace emelex
