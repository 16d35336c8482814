// ModelRegistry::pull: from a name at a hub to a registered model.

#include <algorithm>

#include "base/failures.h"
#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/aliases.h"
#include "hub/disk.h"
#include "hub/download.h"
#include "hub/environment.h"
#include "hub/hub_client.h"
#include "hub/manifest.h"
#include "hub/model_folder.h"
#include "hub/model_lock.h"
#include "hub/names.h"
#include "hub/reference.h"
#include "hub/select_files.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr int kInfoTries = 4;  // someone without a network should not wait for long

// One pull, step by step; `ModelRegistry::pull` below is its table of contents.
class Pull {
 public:
  Pull(const fs::path& root, const ModelReference& reference, const std::string& quantization,
       const PullOptions& options)
      : root_(root),
        reference_(reference),
        preferred_(preferred_quantizations(quantization, reference.usual)),
        options_(options),
        access_(hub_access_from_environment()) {
    download_.connections = options.connections;
    download_.part_bytes = options.part_bytes;
    download_.stall_seconds = options.stall_seconds;
    download_.progress = options.progress;
    download_.retry = {.tries = options.tries, .first_wait = options.retry_seconds, .cancel = options.cancel};
    download_.retry.note = [this](const std::string& line) { note(line); };
  }

  // What the hub has, and what of it is wanted.
  void ask() {
    HttpConnection connection({.stall_seconds = options_.stall_seconds, .cancel = options_.cancel});
    RetryPolicy retry = download_.retry;
    retry.tries = std::min(retry.tries, kInfoTries);
    info_ =
        with_retries(retry, [&] { return fetch_repo_info(connection, access_, reference_.repo, options_.revision); });
    selection_ = select_files(info_, reference_.wanted, options_.include, preferred_);
    for (RemoteFile& file : selection_.files) {
      const bool known = file.size >= 0 && !file.hash.empty();
      if (!known) with_retries(retry, [&] { complete_remote_file(connection, access_, info_, file); });
    }
    model_.name =
        options_.name.empty() ? name_of_remote_model(info_.repo, selection_.quantization) : to_lower(options_.name);
    check_model_name(model_.name);
    model_.folder = root_ / folder_of_name(model_.name);
    model_.source = {"huggingface", info_.repo, options_.revision, info_.commit};
  }

  ModelLock lock() const {
    create_folder(root_);
    return ModelLock(root_, folder_of_name(model_.name), options_.cancel,
                     [this] { note(str_cat("another process is at work on ", model_.name, "; waiting for it")); });
  }

  // The model as it is registered, when it is this very one with all its files, as far as their sizes tell.
  const InstalledModel* installed() {
    if (!has_manifest(model_.folder)) return nullptr;
    try {
      old_ = read_model(model_.folder);
    } catch (const Error&) {
      return nullptr;  // a damaged manifest is written anew
    }
    if (to_lower(old_->source.repo) != to_lower(info_.repo)) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[hub] expected a new name, got '", model_.name, "', which is ",
                          in_quotes(old_->source.repo.empty() ? path_to_load(*old_).string() : old_->source.repo),
                          " already; choose another with --name"));
    }
    const bool same = old_->source.commit == info_.commit && old_->files.size() == selection_.files.size() &&
                      std::all_of(selection_.files.begin(), selection_.files.end(),
                                  [this](const RemoteFile& file) { return has_file(file); });
    return same ? &*old_ : nullptr;
  }

  // Reads the files of a model that is registered. What is damaged is fetched again by fetch(), which keeps the rest.
  bool is_whole(const ModelRegistry& registry, const InstalledModel& model) const {
    note(str_cat("reading what is here of ", model.name));
    const VerifyReport report = registry.verify(model, {.cancel = options_.cancel});
    for (const std::string& problem : report.problems) note(str_cat(problem, "; it is fetched again"));
    if (report.problems.empty()) note(str_cat("all ", model.files.size(), " files are as the hub has them"));
    return report.problems.empty();
  }

  void fetch() {
    // What a registered model consists of is not touched before all of the new one is there.
    const fs::path unfinished = model_.folder / kUnfinishedFolder;
    const fs::path target = old_ ? unfinished / "files" : model_.folder;
    create_folder(unfinished);
    use_hugging_face_cache();
    check_disk_space(model_.folder, bytes_to_download(selection_.files, model_.folder));
    model_.files = download_files(access_, info_, selection_.files, model_.folder, target, download_);
    if (old_) replace_old(target);
    for (const ModelFile& file : model_.files) model_.size += file.size;
  }

  InstalledModel install() {
    describe_model_files(model_, selection_.folder ? model_.folder : model_.folder / model_.files.at(0).path);
    model_.path = selection_.folder ? fs::path(".") : model_.files.at(0).path;
    install_manifest(model_);
    remove_folder(model_.folder / kUnfinishedFolder);
    return model_;
  }

 private:
  void note(const std::string& line) const {
    if (options_.progress) options_.progress({.notes = {line}});
  }

  bool has_file(const RemoteFile& file) const {
    std::error_code error;
    const auto known = std::find_if(old_->files.begin(), old_->files.end(), [&](const ModelFile& old) {
      return old.path == file.path && old.etag == file.hash;
    });
    return known != old_->files.end() &&
           static_cast<int64_t>(fs::file_size(model_.folder / file.path, error)) == file.size;
  }

  // Blobs that Hugging Face's libraries have fetched are used where they lie; their hashes are checked like any
  // other's.
  void use_hugging_face_cache() const {
    const std::string chosen = environment("HF_HUB_CACHE");
    std::string repo = info_.repo;
    repo.replace(repo.find('/'), 1, "--");
    const fs::path blobs =
        (chosen.empty() ? hugging_face_home() / "hub" : fs::path(chosen)) / ("models--" + repo) / "blobs";
    std::error_code error;
    for (const RemoteFile& file : selection_.files) {
      const fs::path blob = fs::absolute(blobs / file.hash, error);
      const auto size = fs::file_size(blob, error);
      const fs::path link = model_.folder / file.path;
      if (error || static_cast<int64_t>(size) != file.size || fs::exists(link, error)) continue;
      fs::remove(link, error);  // one that leads nowhere any more
      create_folder(link.parent_path());
      fs::create_symlink(blob, link, error);  // where that can't be done, the file is fetched
    }
  }

  void replace_old(const fs::path& staged) {
    std::error_code error;
    fs::remove(model_.folder / kManifestName, error);
    for (const ModelFile& old : old_->files) {
      const bool kept = std::any_of(model_.files.begin(), model_.files.end(),
                                    [&](const ModelFile& file) { return file.path == old.path; });
      if (!kept && old.path.is_relative()) fs::remove(model_.folder / old.path, error);
    }
    for (const ModelFile& file : model_.files) {
      if (!fs::exists(staged / file.path, error)) continue;  // it was right as it was
      create_folder((model_.folder / file.path).parent_path());
      fs::rename(staged / file.path, model_.folder / file.path, error);
      if (error)
        throw Error(ErrorCode::io, str_cat("[hub] can't write ", in_quotes((model_.folder / file.path).string()), ": ",
                                           error.message()));
    }
  }

  const fs::path root_;
  const ModelReference& reference_;
  const std::vector<std::string> preferred_;
  const PullOptions& options_;
  const HubAccess access_;
  DownloadOptions download_;
  RepoInfo info_;
  Selection selection_;
  InstalledModel model_;
  std::optional<InstalledModel> old_;
};

std::string similar_aliases(const std::string& what) {
  std::string text;
  for (const std::string& name : similar_names(what, alias_names()))
    text += (text.empty() ? "; did you mean " : ", ") + in_quotes(name);
  return text.empty() ? text : text + "?";
}

}  // namespace

InstalledModel ModelRegistry::pull(const std::string& what, const PullOptions& options) const try {
  const auto reference = parse_reference(what);
  if (!reference) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected an alias, or a repository such as 'org/name' or 'org/name:Q4_K_M', got ",
                        in_quotes(what), similar_aliases(what)));
  }
  if (options.offline || environment_says_yes("HF_HUB_OFFLINE")) {
    const std::vector<InstalledModel> models = list({});
    if (const InstalledModel* model = find_pulled(what, models)) return *model;
    throw Error(ErrorCode::not_found, str_cat("[hub] ", in_quotes(what),
                                              " is not on this computer, and the network is "
                                              "not to be used: --offline or HF_HUB_OFFLINE is set"));
  }
  Pull pull(root(), *reference, quantization_, options);
  pull.ask();
  const ModelLock lock = pull.lock();
  const InstalledModel* there = pull.installed();
  if (there != nullptr && (!options.verify || pull.is_whole(*this, *there))) return *there;
  pull.fetch();
  return pull.install();
} catch (...) {
  rethrow_as_error("hub");
}

}  // namespace emelex
