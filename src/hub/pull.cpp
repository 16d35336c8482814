// ModelRegistry::pull: from a name at a hub to a registered model.

#include <algorithm>

#include "base/failures.h"
#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/aliases.h"
#include "hub/disk.h"
#include "hub/download.h"
#include "hub/environment.h"
#include "hub/header_fetcher.h"
#include "hub/hub_client.h"
#include "hub/manifest.h"
#include "hub/model_folder.h"
#include "hub/model_lock.h"
#include "hub/names.h"
#include "hub/part_file.h"
#include "hub/reference.h"
#include "hub/select_files.h"
#include "weights/safetensors/hf_config.h"

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
        revision_(reference.revision.empty() || options.revision != "main" ? options.revision : reference.revision),
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
    info_ = with_retries(retry, [&] { return fetch_repo_info(connection, access_, reference_.repo, revision_); });
    selection_ = select_files(info_, reference_.wanted, options_.include, preferred_);
    for (RemoteFile& file : selection_.files) {
      const bool known = file.size >= 0 && !file.hash.empty();
      if (!known) with_retries(retry, [&] { complete_remote_file(connection, access_, info_, file); });
    }
    model_.name =
        options_.name.empty() ? name_of_remote_model(info_.repo, selection_.quantization) : to_lower(options_.name);
    check_new_name(model_.name);
    model_.folder = root_ / folder_of_name(model_.name);
    model_.source = {"huggingface", info_.repo, revision_, info_.commit};
  }

  ModelLock lock() const {
    create_folder(root_);
    return ModelLock(root_, folder_of_name(model_.name), options_.cancel,
                     [this] { note(str_cat("another process is at work on ", model_.name, "; waiting for it")); });
  }

  // The model as it is registered, when it is this very one with all its files, as far as their sizes tell. Throws
  // where the name is another model's: only a newer commit of the same files takes the place of an old one.
  const InstalledModel* installed() {
    refuse_linked_folder(model_.folder);
    if (!has_manifest(model_.folder)) {
      refuse_foreign_folder();
      return nullptr;
    }
    try {
      old_ = read_model(model_.folder);
    } catch (const Error&) {
      return nullptr;  // a damaged manifest is written anew
    }
    const fs::path path = selection_.folder ? fs::path(".") : fs::path(selection_.files.front().path);
    const bool same_model = to_lower(old_->source.repo) == to_lower(info_.repo) && old_->path == path &&
                            (old_->source.revision == revision_ || old_->source.commit == info_.commit);
    if (!same_model) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[hub] expected a new name, got '", model_.name, "', which is ", in_quotes(where_from(*old_)),
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

  // Whether the model could be run, by all that says what it is: configuration and tokenizer first, then the headers of
  // the weights' files. What is refused leaves nothing behind.
  void check_headers() {
    const fs::path unfinished = model_.folder / kUnfinishedFolder;
    create_folder(unfinished);
    const std::vector<fs::path> absent = absent_files();
    use_hugging_face_cache();
    check_disk_space(model_.folder, bytes_to_download(selection_.files, model_.folder));
    try {
      fetch_small_files();
      try {
        open_headers(false);
      } catch (const Error& error) {
        if (!is_verdict(error)) throw;
        remove_folder(unfinished);  // something on the way may have damaged what came: once more
        create_folder(unfinished);
        fetch_small_files();
        open_headers(true);
      }
    } catch (const Error& error) {
      if (is_verdict(error)) remove_begun(absent);
      throw;
    }
  }

  void fetch() {
    // What a registered model consists of is not touched before all of the new one is there.
    const fs::path target = target_folder();
    model_.files = download_files(access_, info_, selection_.files, model_.folder, target, download_);
    if (old_) replace_old(target);
    for (const ModelFile& file : model_.files) model_.size += file.size;
  }

  InstalledModel install() {
    describe_model_files(model_, selection_.folder ? model_.folder : model_.folder / model_.files.at(0).path);
    model_.path = selection_.folder ? fs::path(".") : model_.files.at(0).path;
    install_manifest(model_);
    if (options_.check) note_check(model_);
    remove_folder(model_.folder / kUnfinishedFolder);
    return model_;
  }

 private:
  // A folder for a while.
  class Headers {
   public:
    explicit Headers(fs::path folder) : folder_(std::move(folder)) {
      remove_folder(folder_);
      create_folder(folder_);
    }
    Headers(const Headers&) = delete;
    Headers& operator=(const Headers&) = delete;
    ~Headers() {
      try {
        remove_folder(folder_);
      } catch (...) {  // memory that is short; what is left is an unfinished pull's
      }
    }
    const fs::path& folder() const { return folder_; }

   private:
    fs::path folder_;
  };

  void note(const std::string& line) const {
    if (options_.progress) options_.progress({.notes = {line}});
  }

  fs::path target_folder() const { return old_ ? model_.folder / kUnfinishedFolder / "files" : model_.folder; }

  // Whether a failure speaks of the model, not of the network or the disk.
  static bool is_verdict(const Error& error) {
    return error.code() == ErrorCode::unsupported || error.code() == ErrorCode::corrupt_file ||
           error.code() == ErrorCode::invalid_argument || error.code() == ErrorCode::not_found;
  }

  static bool has_header(const RemoteFile& file) {
    const std::string path = to_lower(file.path);
    return path.ends_with(".gguf") || path.ends_with(".safetensors");
  }

  // All but the weights, and what they say of a folder's model.
  void fetch_small_files() {
    std::vector<RemoteFile> small;
    for (const RemoteFile& file : selection_.files) {
      if (!has_header(file)) small.push_back(file);
    }
    if (small.empty() || !selection_.folder) return;
    download_files(access_, info_, small, model_.folder, target_folder(), download_);
    const fs::path config = present("config.json");
    if (!config.empty()) read_hf_config(read_text(config), str_cat(info_.repo, "/config.json"), info_.repo);
  }

  // Files of the selection that are not here yet.
  std::vector<fs::path> absent_files() const {
    std::vector<fs::path> absent;
    std::error_code error;
    for (const RemoteFile& file : selection_.files) {
      const fs::path path = model_.folder / file.path;
      if (!fs::exists(fs::symlink_status(path, error))) absent.push_back(path);
    }
    return absent;
  }

  // What this pull has put here, and nothing that was here before.
  void remove_begun(const std::vector<fs::path>& absent) const {
    std::error_code error;
    remove_folder(model_.folder / kUnfinishedFolder);
    for (const fs::path& path : absent) {
      fs::remove(path, error);
      if (path.parent_path() != model_.folder) fs::remove(path.parent_path(), error);  // if nothing else is in it
    }
    fs::remove(model_.folder, error);
  }

  // `fresh`: from the hub, whatever lies here.
  void open_headers(bool fresh) {
    const Headers headers(model_.folder / kUnfinishedFolder / "check");
    const fs::path path = link_headers(headers.folder(), fresh);
    InstalledModel described;
    try {
      describe_model_files(described, path);
      if (options_.check) options_.check(path);
    } catch (const Error& error) {
      throw Error(error.code(), without_folder(error.what(), headers.folder()));
    }
  }

  // Where a file of the repository lies already; empty: nowhere.
  fs::path present(const fs::path& path) const {
    std::error_code error;
    for (const fs::path& folder : {target_folder(), model_.folder}) {
      if (fs::is_regular_file(folder / path, error)) return fs::absolute(folder / path);
    }
    return {};
  }

  // Links to the files that are here, and to those of which only the header is. Returns what to open.
  fs::path link_headers(const fs::path& folder, bool fresh) {
    HttpConnection connection({.stall_seconds = options_.stall_seconds, .cancel = options_.cancel});
    std::error_code error;
    for (const RemoteFile& file : selection_.files) {
      fs::path source = present(file.path);
      const auto size = source.empty() ? 0 : static_cast<int64_t>(fs::file_size(source, error));
      if (has_header(file) && (fresh || source.empty() || size != file.size))
        source = fetch_header_of(file, connection);
      if (source.empty()) continue;
      create_folder((folder / file.path).parent_path());
      fs::create_symlink(source, folder / file.path, error);
    }
    return selection_.folder ? folder : folder / selection_.files.front().path;
  }

  // The file of which the header is there; the rest reads as zeros.
  fs::path fetch_header_of(const RemoteFile& remote, HttpConnection& connection) const {
    const fs::path unfinished = model_.folder / kUnfinishedFolder;
    PartFile file(unfinished, remote.hash, remote.hash, remote.size, options_.part_bytes);
    const fs::path part = fs::absolute(unfinished / (remote.hash + ".part"));
    if (fetch_header(connection, access_, info_, remote, download_.retry, file)) return part;
    // Its server has no ranges, so all of the file will come once more, from its beginning.
    const fs::path header = part.string() + ".header";
    std::error_code error;
    fs::rename(part, header, error);
    fs::remove(unfinished / (remote.hash + ".state"), error);
    return header;
  }

  static std::string without_folder(std::string text, const fs::path& folder) {
    const std::string prefix = folder.string() + "/";
    for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text + "; the weights were not fetched";
  }

  static std::string where_from(const InstalledModel& model) {
    if (model.source.repo.empty()) return path_to_load(model).string();
    const std::string revision = model.source.revision == "main" ? "" : "@" + model.source.revision;
    return str_cat(model.source.repo, revision, model.path == "." ? "" : ":" + model.path.string());
  }

  // A folder without a manifest that no pull began holds somebody's other files.
  void refuse_foreign_folder() const {
    std::error_code error;
    const bool ours = fs::is_directory(model_.folder / kUnfinishedFolder, error);
    if (ours || !fs::exists(model_.folder, error) || fs::is_empty(model_.folder, error)) return;
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected a folder of emelex's own, got ", in_quotes(model_.folder.string()),
                        ", which holds other files; move them, or choose another name with --name"));
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
    const fs::path chosen = path_from_environment("HF_HUB_CACHE");
    const fs::path home = hugging_face_home();
    if (chosen.empty() && home.empty()) return;
    std::string repo = info_.repo;
    repo.replace(repo.find('/'), 1, "--");
    const fs::path blobs = (chosen.empty() ? home / "hub" : chosen) / ("models--" + repo) / "blobs";
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
  const std::string revision_;
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
  pull.check_headers();
  pull.fetch();
  return pull.install();
} catch (...) {
  rethrow_as_error("hub");
}

}  // namespace emelex
