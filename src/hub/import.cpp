// ModelRegistry::import_file: models that are on this computer already.

#include <algorithm>
#include <optional>

#include "base/durable_file.h"
#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/disk.h"
#include "hub/download.h"
#include "hub/hash_file.h"
#include "hub/manifest.h"
#include "hub/model_folder.h"
#include "hub/model_lock.h"
#include "hub/names.h"
#include "hub/retry.h"
#include "hub/select_files.h"
#include "weights/safetensors/model_files.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

bool same_files(const InstalledModel& a, const InstalledModel& b) {
  return std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
                    [](const ModelFile& x, const ModelFile& y) { return x.sha256 == y.sha256; });
}

bool holds_its_files(const InstalledModel& model) {
  return std::all_of(model.files.begin(), model.files.end(),
                     [](const ModelFile& file) { return file.path.is_relative(); });
}

// The model that has the name already, if that is the same by path or by content. Anything else is someone's other
// model, which stays.
std::optional<InstalledModel> known_as(const InstalledModel& model) {
  refuse_linked_folder(model.folder);
  if (!has_manifest(model.folder)) return {};
  InstalledModel known;
  try {
    known = read_model(model.folder);
  } catch (const Error&) {
    return {};  // a damaged entry is repaired by importing again
  }
  if (path_to_load(known) == model.path || same_files(known, model)) return known;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[hub] expected a new name, got '", model.name, "', which is ",
                      in_quotes(path_to_load(known).string()), " already; choose another name"));
}

// A folder without a manifest that we did not begin is somebody else's.
void refuse_foreign_folder(const InstalledModel& model) {
  std::error_code error;
  const bool ours = has_manifest(model.folder) || fs::is_directory(model.folder / kUnfinishedFolder, error);
  if (ours || !fs::exists(model.folder, error) || fs::is_empty(model.folder, error)) return;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[hub] expected a folder of emelex's own, got ", in_quotes(model.folder.string()),
                      ", which holds other files; move them, or choose another name"));
}

HashedFile copy_into(const fs::path& source, const fs::path& target, const std::atomic<bool>* cancel) {
  constexpr unsigned kOthersMayWrite = 022;
  std::error_code error;
  const auto mode = static_cast<unsigned>(fs::status(source, error).permissions()) & 0777U & ~kOthersMayWrite;
  DurableFile copy(target, {.mode = static_cast<int>(mode), .keep_mode = false});
  const HashedFile hashed = hash_file(source, [&](std::span<const std::byte> bytes) {
    check_cancelled(cancel);
    copy.write(bytes);
  });
  copy.commit();
  return hashed;
}

void hash_files(InstalledModel& model, const std::atomic<bool>* cancel) {
  for (ModelFile& file : model.files) {
    const HashedFile hashed = hash_file(file.path, [cancel](std::span<const std::byte>) { check_cancelled(cancel); });
    file.size = hashed.size;
    file.sha256 = hashed.sha256;
    model.size += hashed.size;
  }
}

// Whether `file` is below `folder` with all links resolved, or a blob of Hugging Face's cache, to which the links of
// its folders lead: models--org--name/snapshots/COMMIT/file → models--org--name/blobs/HASH.
bool stays_in(const fs::path& folder, const fs::path& file) {
  std::error_code error;
  const fs::path real_folder = fs::canonical(folder, error);
  const fs::path real = fs::canonical(file, error);
  const auto below = [&real](const fs::path& root) {
    return std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first == root.end();
  };
  if (error || real_folder.empty()) return false;
  const bool snapshot = real_folder.parent_path().filename() == "snapshots";
  return below(real_folder) || (snapshot && below(real_folder.parent_path().parent_path() / "blobs"));
}

// Where a file goes in the model's folder.
fs::path name_in_registry(const InstalledModel& model, const fs::path& file) {
  const bool folder = model.format == "safetensors";
  fs::path name = folder ? file.lexically_relative(model.path) : file.filename();
  if (folder && !stays_in(model.path, file)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected the model's own files, got ", in_quotes(file.string()),
                        ", a link out of its folder; copy the file itself there first"));
  }
  const std::string first = to_lower(name.begin()->string());
  if (name.empty() || first.starts_with('.') || first == kManifestName) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected a file's name that a model's folder can hold, got ", in_quotes(name.string()),
                        "; rename the file"));
  }
  return name;
}

// Copies the files into the model's folder, whose own they are from then on.
void copy_files(InstalledModel& model, const std::atomic<bool>* cancel) {
  std::error_code error;
  std::vector<fs::path> names;
  for (const ModelFile& file : model.files) names.push_back(name_in_registry(model, file.path));
  create_folder(model.folder / kUnfinishedFolder);  // says that the folder is ours, should this be killed
  for (size_t i = 0; i < names.size(); ++i) {
    ModelFile& file = model.files[i];
    const fs::path target = model.folder / names[i];
    if (!fs::equivalent(file.path, target, error)) {
      create_folder(target.parent_path());
      const HashedFile copied = copy_into(file.path, target, cancel);
      model.size += copied.size - file.size;  // it may have changed in between
      file = {file.path, copied.size, copied.sha256};
    }
    file.path = names[i];
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
  std::error_code none;
  for (fs::directory_iterator entry(fs::path(model.path) / kTemplatesFolder, none), end; !none && entry != end;
       entry.increment(none)) {
    if (entry->is_regular_file(none) && entry->path().extension() == ".jinja") others.push_back(entry->path());
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
    refuse_folder_without_config(path);
  }
  const fs::path root = this->root();
  InstalledModel model;
  const std::vector<fs::path> weights = describe_model_files(model, path);
  model.files = files_of(model, weights);
  model.source.kind = "file";
  const bool folder = model.format == "safetensors";
  model.name = !options.name.empty() ? to_lower(options.name)
                                     : derive_model_name(folder ? model.path : path, folder ? "" : model.quantization);
  model.folder = root / folder_of_name(model.name);

  check_new_name(model.name);
  hash_files(model, options.cancel);
  create_folder(root);
  const ModelLock lock(root, folder_of_name(model.name), options.cancel, {});
  const std::optional<InstalledModel> known = known_as(model);
  refuse_foreign_folder(model);
  // What lies here whole is not exchanged for a reference to a file that may go.
  if (known && !options.copy && holds_its_files(*known) && same_files(*known, model)) return *known;
  create_folder(model.folder);
  if (options.copy) copy_files(model, options.cancel);
  install_manifest(model);
  remove_folder(model.folder / kUnfinishedFolder);
  return model;
}

}  // namespace emelex
