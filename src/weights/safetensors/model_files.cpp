#include "weights/safetensors/model_files.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnd = ".safetensors";
constexpr size_t kMostFiles = 65'536;  // of a folder that are looked at

struct Kind {
  std::string_view begin;
  std::string_view end;
  std::string_view what;
};

// In the order in which a folder is told by them.
constexpr Kind kKinds[] = {
    {"adapter_", "", "a LoRA adapter without its model (merge it into that)"},
    {"adapters", ".safetensors", "a LoRA adapter of MLX without its model (fuse it with that)"},
    {"", ".gguf", "GGUF files (name one of them)"},
    {"snapshots", "", "a folder of Hugging Face's cache (name the folder below snapshots in it)"},
    {"consolidated", ".safetensors", "a model in Mistral's own format (get the folder that transformers reads)"},
    {"consolidated", ".pth", "a model in Meta's own format (get the folder that transformers reads)"},
    {"params.json", "", "a model in Meta's or Mistral's own format (get the folder that transformers reads)"},
    {"pytorch_model", "", "weights in PyTorch's format (convert them to .safetensors with transformers)"},
    {"", ".bin", "weights in PyTorch's format (convert them to .safetensors with transformers)"},
    {"", ".pth", "weights in PyTorch's format (convert them to .safetensors with transformers)"},
    {"", ".pt", "weights in PyTorch's format (convert them to .safetensors with transformers)"},
    {"", ".npz", "an early MLX model in NumPy's format (get a newer one)"},
    {"", ".onnx", "a model in ONNX's format (get the one that transformers reads)"},
    {"onnx", "", "a model in ONNX's format (get the one that transformers reads)"},
    {"", ".h5", "weights in TensorFlow's format (convert them to .safetensors with transformers)"},
    {"", ".msgpack", "weights in Flax's format (convert them to .safetensors with transformers)"},
    {"model.safetensors.", "", "a download that is not complete (get it again)"},
    {"", ".incomplete", "a download that is not complete (get it again)"},
    {"", ".safetensors", "no file of such a name, but others that end in .safetensors (name one of them)"},
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && names.size() < kMostFiles;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::set<std::string> files_like(const fs::path& folder, std::string_view begin) {
  std::set<std::string> found;
  for (const std::string& name : names_in(folder)) {
    if (name.starts_with(begin) && name.ends_with(kEnd)) found.insert(name);
  }
  return found;
}

}  // namespace

std::optional<std::string_view> kind_of_files(const std::vector<std::string>& names) {
  for (const Kind& kind : kKinds) {
    for (const std::string& name : names) {
      if (name.starts_with(kind.begin) && name.ends_with(kind.end)) return kind.what;
    }
  }
  return std::nullopt;
}

bool is_one_of_several(const std::string& name) {
  const size_t of = name.rfind("-of-");
  return of != std::string::npos && of > 0 && name[of - 1] >= '0' && name[of - 1] <= '9';
}

std::set<std::string> shards_in(const fs::path& folder) {
  std::set<std::string> found = files_like(folder, "model");
  // "model.fp16.safetensors" is a variant of a whole, which nothing but its name chooses.
  const bool several = std::any_of(found.begin(), found.end(), [](const std::string& name) {
    return is_one_of_several(name.substr(0, name.size() - kEnd.size()));
  });
  if (several) {
    std::erase_if(
        found, [](const std::string& name) { return !is_one_of_several(name.substr(0, name.size() - kEnd.size())); });
  } else {
    found.clear();
  }
  return found.empty() ? files_like(folder, "weights") : found;
}

void check_is_text_model(const fs::path& folder) {
  struct Sign {
    const char* file;
    std::string_view what;
  };
  static constexpr Sign kSigns[] = {
      {"adapter_config.json",
       "a LoRA adapter beside the model, which would be passed over (merge it into the model, or "
       "move adapter_config.json away)"},
      {"adapter_model.safetensors",
       "a LoRA adapter beside the model, which would be passed over (merge it into the "
       "model, or move it away)"},
      {"modules.json", "an embedding model or reranker (of sentence-transformers), which does not write text"},
      {"1_Pooling", "an embedding model (of sentence-transformers), which does not write text"},
  };
  for (const Sign& sign : kSigns) {
    if (!is_there(folder / sign.file)) continue;
    throw Error(ErrorCode::unsupported, str_cat("[safetensors] expected a model that writes text, got ", sign.what,
                                                ", by ", sign.file, " in the folder ", path_text(folder)));
  }
}

void refuse_folder_without_config(const fs::path& folder) {
  const std::string_view kind = kind_of_files(names_in(folder)).value_or("no model");
  throw Error(ErrorCode::unsupported,
              str_cat("[safetensors] expected a folder with config.json, or the path of a .gguf "
                      "file, got ",
                      kind, " in ", path_text(folder)));
}

void refuse_folder_without_weights(const fs::path& folder) {
  const std::string_view kind = kind_of_files(names_in(folder)).value_or("neither");
  throw Error(ErrorCode::not_found, str_cat("[safetensors] expected model.safetensors or model.safetensors.index.json, "
                                            "got ",
                                            kind, " in the folder ", path_text(folder)));
}

void refuse_file_of_another_kind(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with("adapter") && !name.starts_with("consolidated")) return;
  const auto kind = kind_of_files({name});
  throw Error(ErrorCode::unsupported,
              str_cat("[safetensors] expected a model's file, got ", kind.value_or("another"), ": ", path_text(path)));
}

}  // namespace emelex
