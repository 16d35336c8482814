#include "tools/unknown_folder.h"

#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/bounded_json.h"
#include "weights/safetensors/safetensors_header.h"
#include "weights/safetensors/safetensors_index.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};

// Names that most families share.
constexpr std::pair<const char*, const char*> kSizes[] = {
    {"num_hidden_layers", "block_count"},
    {"hidden_size", "embedding_length"},
    {"intermediate_size", "feed_forward_length"},
    {"vocab_size", "vocab_size"},
    {"max_position_embeddings", "context_length"},
    {"num_attention_heads", "attention.head_count"},
    {"num_key_value_heads", "attention.head_count_kv"},
    {"head_dim", "attention.key_length"},
    {"num_experts", "expert_count"},
    {"num_local_experts", "expert_count"},
    {"n_routed_experts", "expert_count"},
    {"num_experts_per_tok", "expert_used_count"},
    {"rope_theta", "rope.freq_base"},
};

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void add_value(Metadata& metadata, const std::string& key, const Json& value) {
  if (metadata.contains(key)) return;
  if (value.is_boolean()) metadata.add(key, value.get<bool>());
  if (value.is_number_unsigned()) metadata.add(key, value.get<uint64_t>());
  if (value.is_number_integer() && !value.is_number_unsigned()) metadata.add(key, value.get<int64_t>());
  if (value.is_number_float()) metadata.add(key, value.get<double>());
  if (value.is_string()) metadata.add(key, value.get<std::string>());
}

Metadata read_config(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const Json root = parse_json(text_of(*file), kConfigLimits, "config", path_text(path));
  if (!root.is_object()) {
    throw Error(ErrorCode::corrupt_file, str_cat("[config] expected a JSON object in ", path_text(path)));
  }
  Metadata metadata(path_text(path));
  const auto type = root.find("model_type");
  const std::string architecture = type != root.end() && type->is_string() ? type->get<std::string>() : "";
  metadata.add("general.architecture", architecture);
  metadata.add("general.name", fs::absolute(path).parent_path().lexically_normal().filename().string());
  // Models that take pictures as well have that of the language model in it.
  const auto inner = root.find("text_config");
  const Json& sizes = inner != root.end() && inner->is_object() ? *inner : root;
  for (const auto& [name, key] : kSizes) {
    if (const auto value = sizes.find(name); value != sizes.end()) {
      add_value(metadata, str_cat(architecture, ".", key), *value);
    }
  }
  for (const auto& [key, value] : root.items()) add_value(metadata, "config." + key, value);
  return metadata;
}

// The named file, or those that make up the model in a folder, which may hold others beside.
std::vector<fs::path> tensor_files(const fs::path& path) {
  std::error_code error;  // what is wrong with a path is said when it is opened
  if (!fs::is_directory(path, error)) return {path};
  if (fs::exists(path / "model.safetensors", error)) return {path / "model.safetensors"};
  const fs::path index = path / "model.safetensors.index.json";
  const std::shared_ptr<const MappedFile> file = MappedFile::open(index);
  std::set<std::string> names;
  for (const auto& [tensor, name] : read_safetensors_index(text_of(*file), path_text(index))) names.insert(name);
  std::vector<fs::path> files;
  for (const std::string& name : names) files.push_back(path / name);
  return files;
}

}  // namespace

ModelFiles open_unknown_folder(const fs::path& path) {
  const std::vector<fs::path> files = tensor_files(path);
  std::error_code error;
  const fs::path folder = fs::is_directory(path, error) ? path
                          : path.has_parent_path()      ? path.parent_path()
                                                        : fs::path(".");
  Metadata metadata = read_config(folder);
  std::map<std::string, Tensor, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> unreadable;
  for (const fs::path& file : files) {
    const std::shared_ptr<const MappedFile> mapped = MappedFile::open(file);
    for (const SafeTensorsEntry& entry : read_safetensors_header(mapped->bytes(), file)) {
      const auto type = tensor_type_of_dtype(entry.dtype);
      if (type && !entry.data.empty()) {
        const auto shape = entry.shape.empty() ? std::vector<int64_t>{1} : entry.shape;
        tensors.try_emplace(entry.name, Tensor{entry.name, *type, shape, entry.data, mapped});
      } else {
        unreadable.try_emplace(entry.name, quote_bytes(entry.dtype) + " numbers");
      }
    }
  }
  auto weights =
      std::make_shared<const Weights>(path, std::move(metadata), std::move(tensors), std::move(unreadable), files);
  return with_folder_files(std::move(weights), folder, 0);
}

}  // namespace emelex
