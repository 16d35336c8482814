// ModelRegistry::import_file: models that are on this computer already.

#include <algorithm>

#include "base/durable_file.h"
#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/hash_file.h"
#include "hub/manifest.h"
#include "hub/model_folder.h"
#include "hub/model_lock.h"
#include "hub/names.h"
#include "hub/select_files.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// The entry may be renewed when it is the same file by path or by content; anything else is someone's other model.
void check_name_is_free(const InstalledModel& model) {
  if (!has_manifest(model.folder)) return;
  InstalledModel known;
  try {
    known = read_model(model.folder);
  } catch (const Error&) {
    return;  // a damaged entry is repaired by importing again
  }
  if (path_to_load(known) == model.path || known.files.at(0).sha256 == model.files.at(0).sha256) return;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[hub] expected a new name, got '", model.name, "', which is ",
                      in_quotes(path_to_load(known).string()), " already; choose another name"));
}

HashedFile copy_into(const fs::path& source, const fs::path& target) {
  DurableFile copy(target);
  const HashedFile hashed = hash_file(source, [&copy](std::span<const std::byte> bytes) { copy.write(bytes); });
  copy.commit();
  return hashed;
}

void hash_files(InstalledModel& model) {
  for (ModelFile& file : model.files) {
    const HashedFile hashed = hash_file(file.path);
    file.size = hashed.size;
    file.sha256 = hashed.sha256;
    model.size += hashed.size;
  }
}

// Copies the files into the model's folder, whose own they are from then on.
void copy_files(InstalledModel& model) {
  std::error_code error;
  for (ModelFile& file : model.files) {
    const fs::path name = file.path.filename();
    if (name == kManifestName) {
      throw Error(ErrorCode::invalid_argument, "[hub] a model can't be called manifest.json; rename the file");
    }
    if (!fs::equivalent(file.path, model.folder / name, error)) {
      const HashedFile copied = copy_into(file.path, model.folder / name);
      model.size += copied.size - file.size;  // it may have changed in between
      file = {file.path, copied.size, copied.sha256};
    }
    file.path = name;
  }
  model.path = model.format == "gguf" ? model.files.at(0).path : ".";
}

// The weights, and for a folder what else belongs to it.
std::vector<ModelFile> files_of(const InstalledModel& model, const std::vector<fs::path>& weights) {
  std::vector<ModelFile> files;
  for (const fs::path& file : weights) files.push_back({file, 0, ""});
  if (model.format == "gguf") return files;
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(model.path)) {
    if (entry.is_regular_file() && is_folder_file(entry.path().filename().string())) others.push_back(entry.path());
  }
  std::sort(others.begin(), others.end());
  for (const fs::path& file : others) files.push_back({file, 0, ""});
  return files;
}

}  // namespace

InstalledModel ModelRegistry::import_file(const fs::path& given, const ImportOptions& options) const {
  if (!options.name.empty()) check_model_name(to_lower(options.name));
  std::error_code error;
  fs::path path = fs::absolute(given, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "folder/"
  if (fs::is_directory(path, error) && !fs::exists(path / "config.json", error)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected a model, got the folder ", in_quotes(path.string()),
                        ", which has no config.json; name a .gguf file in it"));
  }
  const fs::path root = this->root();
  InstalledModel model;
  const std::vector<fs::path> weights = describe_model_files(model, path);
  model.files = files_of(model, weights);
  model.source.kind = "file";
  const bool folder = model.format == "safetensors";
  model.name = !options.name.empty() ? to_lower(options.name)
                                     : derive_model_name(folder ? model.path : path, folder ? "" : model.quantization);
  check_model_name(model.name);
  model.folder = root / folder_of_name(model.name);

  hash_files(model);
  create_folder(root);
  const ModelLock lock(root, folder_of_name(model.name), nullptr, {});
  check_name_is_free(model);
  create_folder(model.folder);
  if (options.copy) copy_files(model);
  install_manifest(model);
  return model;
}

}  // namespace emelex
