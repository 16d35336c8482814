#pragma once

// Models on this computer: a folder for each, holding a manifest.json and, unless they stay where they are, the model's
// files. There is no database; what the folders say is the truth.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/error.h"

namespace emelex {

struct ModelFile {
  std::filesystem::path path;  // absolute: referenced where it lies; relative: inside the model's folder
  int64_t size = 0;            // bytes
  std::string sha256;          // 64 hexadecimal digits
};

// What a manifest.json says.
struct InstalledModel {
  std::string name;          // "smollm2-135m-instruct:q4_1"
  std::string source_kind;   // "file"
  std::string format;        // "gguf"
  std::string architecture;  // "llama"
  std::string quantization;  // the type that most of the weights' bytes have: "q4_1"
  int64_t parameters = 0;
  int64_t context_length = 0;    // tokens that the model was trained for; 0: the file doesn't say
  int64_t size = 0;              // bytes of all files
  std::vector<ModelFile> files;  // the one to load first
  std::string installed_at;      // UTC, "2026-01-31T12:00:00Z"

  std::filesystem::path folder;  // where the manifest lies; not part of it
};

struct ImportOptions {
  std::string name;   // empty: made from the file's name, see derive_model_name
  bool copy = false;  // copy the files into the registry; else they are used where they lie
};

// Takes a line for people about a model that was skipped.
using WarningCallback = std::function<void(const std::string& warning)>;

// The folder of all models: EMELEX_MODELS_DIR, else OpenAgents/models in the user's data folder. Not created.
// Throws Error(invalid_argument) when the environment names none.
std::filesystem::path default_models_root();

// "SmolLM2-135M-Instruct.Q4_1.gguf" → "smollm2-135m-instruct:q4_1". `quantization` is used when the file name has none;
// it may be empty.
std::string derive_model_name(const std::filesystem::path& file, std::string_view quantization);

// Throws Error(invalid_argument) unless `name` has 1 to 128 characters of a-z 0-9 . _ - with at most one ':', each
// part beginning and ending with a letter or digit. Such a name is safe in a path on every system.
void check_model_name(std::string_view name);

// The registry. Its methods may be called from any thread and by any number of processes at once: a manifest is
// replaced as a whole or not at all.
class Registry {
 public:
  explicit Registry(std::filesystem::path root = default_models_root()) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }

  // All models by name. A folder whose manifest is damaged is reported to `warn` (which may be empty) and skipped; one
  // without a manifest is an unfinished import and skipped silently.
  std::vector<InstalledModel> list(const WarningCallback& warn) const;

  // Registers a .gguf file; of a model in several, all of them by way of any one. Importing the same file again renews
  // its entry. Throws Error when the file can't be read as a model, or when the name belongs to another file.
  InstalledModel import_file(const std::filesystem::path& file, const ImportOptions& options) const;

  // The model of that name, capital letters allowed. Throws Error(not_found) with the nearest names.
  InstalledModel find(std::string_view name) const;

  // The model to load for what a user typed: an existing file, a folder with a config.json, or else a registered name,
  // which comes before a folder. Anything with a '/' is a path. Throws Error(not_found) when it is neither, with the
  // nearest names.
  std::filesystem::path resolve(const std::string& name_or_path) const;

 private:
  std::filesystem::path root_;
};

// Registry::resolve with the default registry. A path does not need one, and so works where the environment names none.
std::filesystem::path resolve_model(const std::string& name_or_path);

}  // namespace emelex
