// What keeps the registry in order: verify, remove, collect_garbage, the default model.

#include <algorithm>
#include <optional>
#include <set>

#include "base/durable_file.h"
#include "base/mapped_file.h"
#include "base/small_file.h"
#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/check_tensors.h"
#include "hub/disk.h"
#include "hub/download.h"
#include "hub/hash_file.h"
#include "hub/manifest.h"
#include "hub/model_folder.h"
#include "hub/model_lock.h"
#include "hub/names.h"
#include "hub/output_journal.h"
#include "hub/reference.h"
#include "hub/retry.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// Bytes of disk under a folder. Links count for nothing: what they lead to stays.
int64_t disk_bytes(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_symlink(error)) bytes += allocated_bytes(entry->path());
  }
  return bytes;
}

// "" when the file is as the manifest says.
std::string problem_of(const InstalledModel& model, const ModelFile& file, const std::atomic<bool>* cancel,
                       int64_t* bytes) {
  const fs::path path = file_path(model, file);
  try {
    const HashedFile found = hash_file(path, [&](std::span<const std::byte> chunk) {
      check_cancelled(cancel);
      *bytes += static_cast<int64_t>(chunk.size());
    });
    if (found.size != file.size) {
      return str_cat(in_quotes(path.string()), ": expected ", file.size, " bytes, got ", found.size);
    }
    if (found.sha256 != file.sha256) {
      return str_cat(in_quotes(path.string()), ": expected the SHA-256 ", file.sha256, ", got ", found.sha256);
    }
    return "";
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    return error.what();
  }
}

// Left by a process that was killed while it wrote a file (DurableFile); versions before had its id in the name.
bool is_temporary(const fs::path& file) {
  const std::string name = file.filename().string();
  if (is_temporary_name(name)) return true;
  const size_t dot = name.size() < 8 ? std::string::npos : name.rfind('.', name.size() - 6);
  return name.starts_with('.') && name.ends_with(".part") && dot != std::string::npos && dot > 0 &&
         name.find_first_not_of("0123456789", dot + 1) == name.size() - 5;
}

// A folder that a pull or import began, and no folder of someone else's: those don't hold what we put there.
bool is_unfinished(const fs::path& root, const fs::path& folder) {
  std::error_code error;
  if (has_manifest(folder)) return false;
  if (fs::is_directory(folder / kUnfinishedFolder, error)) return true;
  return fs::is_empty(folder, error) && is_there(root / ".locks" / folder.filename());
}

// What the manifest calls the model's own stays, whatever its name. Nothing, where that can't be read: all of it may
// be.
std::optional<std::set<fs::path>> own_files(const fs::path& folder) {
  try {
    std::set<fs::path> files;
    for (const ModelFile& file : read_model(folder).files) files.insert((folder / file.path).lexically_normal());
    return files;
  } catch (const Error&) {
    return {};
  }
}

bool holds_any(const fs::path& path, const std::set<fs::path>& files) {
  const fs::path normal = path.lexically_normal();
  return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
    return std::mismatch(normal.begin(), normal.end(), file.begin(), file.end()).first == normal.end();
  });
}

std::vector<fs::path> garbage_in(const fs::path& root, const fs::path& folder) {
  if (is_unfinished(root, folder)) return {folder};
  std::vector<fs::path> garbage;
  if (!has_manifest(folder)) return garbage;
  const auto own = own_files(folder);
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; own && !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    const bool unfinished = path.filename() == kUnfinishedFolder && fs::is_directory(entry->symlink_status(error));
    const bool temporary = fs::is_regular_file(entry->symlink_status(error)) && is_temporary(path);
    if ((unfinished || temporary) && !holds_any(path, *own)) garbage.push_back(path);
  }
  return garbage;
}

// Nobody should find out afterwards which of several was removed.
void check_means_one(std::string_view name, const std::vector<InstalledModel>& models) {
  const std::vector<const InstalledModel*> meant = pulled_as(name, models);
  if (meant.size() <= 1) return;
  std::string names;
  for (const InstalledModel* model : meant) names += str_cat(names.empty() ? "" : ", ", in_quotes(model->name));
  throw Error(ErrorCode::invalid_argument, str_cat("[hub] expected the name of one model, got ", in_quotes(name),
                                                   ", which is each of ", names, "; name one of them"));
}

}  // namespace

VerifyReport ModelRegistry::verify(const InstalledModel& model, const VerifyOptions& options) const {
  VerifyReport report;
  for (const ModelFile& file : model.files) {
    const std::string problem = problem_of(model, file, options.cancel, &report.bytes);
    if (!problem.empty()) report.problems.push_back(problem);
  }
  if (options.deep) {
    for (std::string& problem : check_tensors(path_to_load(model), options.cancel, &report.tensors)) {
      report.problems.push_back(std::move(problem));
    }
  }
  return report;
}

RemovedModel ModelRegistry::remove(std::string_view name) const {
  const fs::path root = this->root();
  const std::string lower = to_lower(name);
  fs::path folder = root / folder_of_name(lower);
  RemovedModel removed{lower};
  // A damaged manifest is no reason to keep a model.
  const bool plain = lower.find('/') == std::string::npos && !lower.starts_with('.') && has_manifest(folder);
  if (!plain) {
    const InstalledModel model = find(name);
    check_means_one(name, list({}));
    folder = model.folder;
    removed.name = model.name;
  }
  refuse_linked_folder(folder);

  FileDescriptor lock;
  if (!ModelLock::try_lock(root, folder.filename().string(), &lock) || is_in_use(folder / kManifestName)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] ", in_quotes(name), " is in use by another process; end that first"));
  }
  removed.bytes = disk_bytes(folder);
  // First the manifest: a removal that is cut off leaves no model that lacks files.
  std::error_code error;
  if (!fs::remove(folder / kManifestName, error)) {
    throw Error(ErrorCode::io, str_cat("[hub] can't remove ", in_quotes(folder.string()), ": ", error.message()));
  }
  remove_folder(folder);
  return removed;
}

GarbageReport ModelRegistry::collect_garbage() const {
  const fs::path root = this->root();
  GarbageReport report;
  std::error_code error;
  std::vector<fs::path> folders;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    const bool ours = entry->is_directory(error) && !entry->is_symlink(error);
    if (ours && !entry->path().filename().string().starts_with('.')) folders.push_back(entry->path());
  }
  const auto remove = [&report](const fs::path& garbage, const std::string& name) {
    std::error_code none;
    const int64_t bytes = disk_bytes(garbage) + (fs::is_regular_file(garbage, none) ? allocated_bytes(garbage) : 0);
    remove_folder(garbage);
    report.bytes += bytes;
    report.removed.push_back(name);
  };
  for (const fs::path& folder : folders) {
    if (garbage_in(root, folder).empty()) continue;
    FileDescriptor lock;
    if (!ModelLock::try_lock(root, folder.filename().string(), &lock)) {
      report.busy.push_back(folder.filename().string());
      continue;
    }
    for (const fs::path& garbage : garbage_in(root, folder)) {  // again: it may have been finished meanwhile
      remove(garbage, garbage.lexically_relative(root).string());
    }
  }
  visit_left_outputs(root, [&](const fs::path& left) { remove(left, left.string()); });
  return report;
}

std::shared_ptr<const void> ModelRegistry::note_output(const fs::path& output) const {
  try {
    return emelex::note_output(root(), output);
  } catch (const Error&) {
    return nullptr;  // the environment names no root
  }
}

void ModelRegistry::check_runs(InstalledModel& model, const ModelCheck& check, bool again) const {
  if (read_check(model) && !again) return;
  std::error_code error;
  const bool there = std::all_of(model.files.begin(), model.files.end(), [&](const ModelFile& file) {
    return fs::is_regular_file(file_path(model, file), error);
  });
  model.refused.clear();
  if (!there) return;
  try {
    check(path_to_load(model));
  } catch (const Error& failure) {
    if (failure.code() == ErrorCode::cancelled) throw;
    model.refused = failure.what();
    // Others may pass: memory that is short, a file that can't be read.
    if (failure.code() != ErrorCode::unsupported && failure.code() != ErrorCode::corrupt_file) return;
  }
  note_check(model);
}

std::string ModelRegistry::default_model() const {
  constexpr size_t kMostBytes = 4096;
  std::string name;
  try {
    name = read_small_file(root() / kDefaultFile, {.most_bytes = kMostBytes});
    name.resize(std::min(name.size(), name.find('\n')));
    check_model_name(name);
  } catch (const Error&) {
    return "";
  }
  return has_manifest(root() / folder_of_name(name)) ? name : "";
}

void ModelRegistry::set_default_model(std::string_view name) const {
  const InstalledModel model = find(name);
  DurableFile file(root() / kDefaultFile);
  file.write(model.name + "\n");
  file.commit();
}

}  // namespace emelex
