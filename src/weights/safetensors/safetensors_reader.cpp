#include "weights/safetensors/safetensors_reader.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/safetensors/hf_config.h"
#include "weights/safetensors/mlx_matrices.h"
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

  void check_index(const SafeTensorsIndex& index) const;
  std::shared_ptr<const Weights> weights() &&;

 private:
  std::string folder_name() const;
  void add_part(const SafeTensorsPart& part);
  void add_mlx_matrices();
  void add_mxfp4_blocks();
  void add_tensor(const std::string& name, FoundTensor& found);
  void add_tensor(Tensor tensor, const fs::path& file);
  // transformers ignores it too
  bool is_copied_embedding(const std::string& gguf_name) const { return config_.tied && gguf_name == "output.weight"; }
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

void Assembler::add_part(const SafeTensorsPart& part) {
  files_.push_back(part.path);
  for (SafeTensorsEntry& entry : read_safetensors_header(part.bytes, part.path)) {
    const std::string name = entry.name;
    if (!found_.try_emplace(name, FoundTensor{std::move(entry), &part}).second) {
      fail(ErrorCode::corrupt_file, "each tensor in one file", str_cat(quote_bytes(name), " once more"), part.path);
    }
  }
}

void Assembler::check_index(const SafeTensorsIndex& index) const {
  for (const auto& [tensor, file] : index) {
    const auto found = found_.find(tensor);
    if (found == found_.end() || found->second.part->path.filename() != file) {
      fail(ErrorCode::corrupt_file, str_cat("the tensor ", quote_bytes(tensor), ", which ", kIndexName, " promises"),
           "none", folder_ / file);
    }
  }
}

void Assembler::add_mlx_matrices() {
  for (auto& [name, tensor] : take_mlx_matrices(found_, config_.quantization, config_path_)) {
    const auto part_name = text_part_name(*config_.family, name);
    if (!part_name) continue;
    tensor.name = gguf_tensor_name(*config_.family, *part_name);
    if (!is_copied_embedding(tensor.name)) add_tensor(std::move(tensor), folder_);
  }
}

void Assembler::add_mxfp4_blocks() {
  if (!config_.quantization.mxfp4_blocks) return;
  for (auto& [name, tensor] : take_mxfp4_blocks(found_)) {
    tensor.name = gguf_tensor_name(*config_.family, name);
    add_tensor(std::move(tensor), folder_);
  }
}

void Assembler::add_tensor(const std::string& name, FoundTensor& found) {
  const auto part_name = text_part_name(*config_.family, name);
  if (!part_name) return;
  std::string gguf_name = gguf_tensor_name(*config_.family, *part_name);
  if (is_copied_embedding(gguf_name)) return;
  SafeTensorsEntry& entry = found.entry;
  const auto type = tensor_type_of_dtype(entry.dtype);
  if (!type || entry.data.empty()) {
    unreadable_.emplace(std::move(gguf_name), type ? "no values" : quote_bytes(entry.dtype) + " numbers");
    return;
  }
  if (entry.shape.empty()) entry.shape.push_back(1);
  Tensor tensor{std::move(gguf_name), *type, std::move(entry.shape), entry.data, found.part->owner};
  if (is_transposed(*config_.family, name)) tensor = transposed(tensor);
  add_tensor(std::move(tensor), found.part->path);
}

void Assembler::add_tensor(Tensor tensor, const fs::path& file) {
  const std::string name = tensor.name;
  if (!tensors_.try_emplace(name, std::move(tensor)).second) {
    fail(ErrorCode::corrupt_file, "each tensor once", str_cat(quote_bytes(name), " under two names"), file);
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
  add_made_tensors();
  add_ones_to_norms();
  check_vocabulary();
  if (!config_.tied && !tensors_.contains("output.weight") && !unreadable_.contains("output.weight")) {
    fail(ErrorCode::corrupt_file, "the tensor 'lm_head.weight', or tie_word_embeddings to be true", "neither",
         config_path_);
  }
  return std::make_shared<const Weights>(folder_, std::move(config_.metadata), std::move(tensors_),
                                         std::move(unreadable_), std::move(files_));
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
  const std::shared_ptr<const MappedFile> config = MappedFile::open(folder / kConfigName);
  return read_safetensors(text_of(*config), parts, folder, index);
}

std::shared_ptr<const Weights> open_indexed(const fs::path& folder) {
  const fs::path index_path = folder / kIndexName;
  const std::shared_ptr<const MappedFile> index_file = MappedFile::open(index_path);
  const auto index = read_safetensors_index(text_of(*index_file), path_text(index_path));
  std::set<std::string> names;
  for (const auto& [tensor, file] : index) names.insert(file);
  std::vector<SafeTensorsPart> parts;
  for (const std::string& name : names) {
    if (!is_there(folder / name)) {
      fail(ErrorCode::not_found, str_cat("the file ", quote_bytes(name), " beside it"), "none (download it too)",
           index_path);
    }
    parts.push_back(open_part(folder / name));
  }
  return read_parts(folder, parts, index);
}

// "model-00002-of-00005.safetensors"
bool is_one_of_several(const std::string& name) {
  const size_t of = name.rfind("-of-");
  return of != std::string::npos && of > 0 && name[of - 1] >= '0' && name[of - 1] <= '9';
}

}  // namespace

std::shared_ptr<const Weights> read_safetensors(std::string_view config, const std::vector<SafeTensorsPart>& parts,
                                                const fs::path& folder, const SafeTensorsIndex& index) {
  Assembler assembler(config, parts, folder);
  assembler.check_index(index);
  return std::move(assembler).weights();
}

std::shared_ptr<const Weights> open_safetensors_folder(const fs::path& folder) {
  if (!is_there(folder / kConfigName)) {
    throw Error(ErrorCode::unsupported, str_cat("[safetensors] expected a folder with ", kConfigName,
                                                ", or the path of a .gguf file, got ", path_text(folder)));
  }
  if (is_there(folder / kFileName)) return read_parts(folder, {open_part(folder / kFileName)});
  if (is_there(folder / kIndexName)) return open_indexed(folder);
  throw Error(ErrorCode::not_found, str_cat("[safetensors] expected ", kFileName, " or ", kIndexName,
                                            ", got neither in the folder ", path_text(folder)));
}

std::shared_ptr<const Weights> open_safetensors_file(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (is_one_of_several(path.stem().string()) && is_there(folder / kIndexName)) return open_indexed(folder);
  if (!is_there(folder / kConfigName)) {
    throw Error(ErrorCode::not_found,
                str_cat("[safetensors] expected ", kConfigName, " beside ", path_text(path), ", got none"));
  }
  return read_parts(folder, {open_part(path)});
}

}  // namespace emelex
