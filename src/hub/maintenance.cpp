// What keeps the registry in order: verify, remove, collect_garbage, the default model.

#include <fstream>

#include "base/durable_file.h"
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
#include "hub/retry.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultFile = "default";  // no model's folder: it is a file

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

// Left by a process that was killed while it wrote a file (DurableFile).
bool is_temporary(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.starts_with('.') && name.ends_with(".part");
}

// A folder that a pull or import began, and no folder of someone else's: those don't hold what we put there.
bool is_unfinished(const fs::path& folder) {
  std::error_code error;
  return !has_manifest(folder) && (fs::is_directory(folder / kUnfinishedFolder, error) || fs::is_empty(folder, error));
}

std::vector<fs::path> garbage_in(const fs::path& folder) {
  if (is_unfinished(folder)) return {folder};
  std::vector<fs::path> garbage;
  if (!has_manifest(folder)) return garbage;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const bool unfinished = entry->path().filename() == kUnfinishedFolder;
    if (unfinished || (entry->is_regular_file(error) && is_temporary(entry->path()))) garbage.push_back(entry->path());
  }
  return garbage;
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

int64_t ModelRegistry::remove(std::string_view name) const {
  const fs::path root = this->root();
  const std::string lower = to_lower(name);
  fs::path folder = root / folder_of_name(lower);
  // A damaged manifest is no reason to keep a model.
  const bool plain = lower.find('/') == std::string::npos && !lower.starts_with('.') && has_manifest(folder);
  if (!plain) folder = find(name).folder;

  FileDescriptor lock;
  if (!ModelLock::try_lock(root, folder.filename().string(), &lock) || is_in_use(folder / kManifestName)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] ", in_quotes(name), " is in use by another process; end that first"));
  }
  const int64_t bytes = disk_bytes(folder);
  // First the manifest: a removal that is cut off leaves no model that lacks files.
  std::error_code error;
  if (!fs::remove(folder / kManifestName, error)) {
    throw Error(ErrorCode::io, str_cat("[hub] can't remove ", in_quotes(folder.string()), ": ", error.message()));
  }
  remove_folder(folder);
  return bytes;
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
  for (const fs::path& folder : folders) {
    if (garbage_in(folder).empty()) continue;
    FileDescriptor lock;
    if (!ModelLock::try_lock(root, folder.filename().string(), &lock)) {
      report.busy.push_back(folder.filename().string());
      continue;
    }
    for (const fs::path& garbage : garbage_in(folder)) {  // again: it may have been finished meanwhile
      const int64_t bytes = disk_bytes(garbage) + (fs::is_regular_file(garbage, error) ? allocated_bytes(garbage) : 0);
      remove_folder(garbage);
      report.bytes += bytes;
      report.removed.push_back(garbage.lexically_relative(root).string());
    }
  }
  return report;
}

std::string ModelRegistry::default_model() const {
  std::ifstream input(root() / kDefaultFile);
  std::string name;
  std::getline(input, name);
  try {
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
