#pragma once

// The models on this computer, and how to add them from files, from Hugging Face or from hubs with the same interface.
// Each model has a folder with a manifest.json. The model's files are in that folder or stay elsewhere. There is no
// database: the folders alone say which models there are.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/error.h"

namespace emelex {

struct ModelFile {
  std::filesystem::path path;  // absolute: outside the model's folder; relative: inside it
  int64_t size = 0;            // bytes
  std::string sha256;          // 64 hexadecimal digits
  std::string etag;            // the hub's hash, SHA-256 or git's; empty: not from a hub
};

// Where a model came from. All but `kind` is empty for a file.
struct ModelSource {
  std::string kind;      // "file" or "huggingface"
  std::string repo;      // "org/name"
  std::string revision;  // "main"
  std::string commit;    // 40 hexadecimal digits: the revision's commit at the time
};

// What a manifest.json says.
struct InstalledModel {
  std::string name;            // "smollm2-135m-instruct:q4_1"
  std::filesystem::path path;  // what to load: of `files` the first, or the folder of SafeTensors; relative ("."): in
                               // the model's folder
  ModelSource source;
  std::string format;        // "gguf" or "safetensors"
  std::string architecture;  // "llama"
  std::string quantization;  // the type that most of the weights' bytes have: "q4_1"
  int64_t parameters = 0;
  int64_t context_length = 0;    // tokens that the model was trained for; 0: the file doesn't say
  int64_t size = 0;              // bytes of all files
  std::vector<ModelFile> files;  // of a GGUF model, the one to load first
  std::string installed_at;      // UTC, "2026-01-31T12:00:00Z"

  // Not part of the manifest:
  std::string refused;           // why this version of emelex can't run it, as far as is known (check_runs); else empty
  std::filesystem::path folder;  // where it lies
  std::string last_used_at;      // UTC; empty: never, as far as is known
};

// Throws Error where a model can't be run: Error(unsupported) or Error(corrupt_file) for what its files say. The path
// is what opens as a model.
using ModelCheck = std::function<void(const std::filesystem::path& path)>;

struct ImportOptions {
  std::string name;                           // empty: made from the file's name, see derive_model_name
  bool copy = false;                          // copy the files into the registry; else use them in place
  const std::atomic<bool>* cancel = nullptr;  // once set, Error(cancelled) soon
};

// How far a pull is.
struct PullProgress {
  struct File {
    std::string path;
    int64_t size = 0;      // bytes
    int64_t received = 0;  // bytes that are there, those of earlier pulls included
    bool done = false;     // its hash is right and it has its real name
  };
  std::vector<File> files;
  int64_t size = 0;                // of all files
  int64_t received = 0;            // of all files
  std::vector<std::string> notes;  // lines for people since the last call: why the pull waits
};

struct PullOptions {
  std::string revision = "main";              // branch, tag or commit
  std::string name;                           // to register; empty: the repository's name and the quantization
  std::string include;                        // pattern of files to fetch ("*Q6_K*"); empty: those that the model needs
  int connections = 8;                        // at most; one where that is quick enough
  int64_t part_bytes = int64_t{16} << 20;     // of one request
  double stall_seconds = 30;                  // without a byte, after which a connection is replaced by another
  int tries = 8;                              // in a row without a byte, before the pull fails
  double retry_seconds = 0.5;                 // before the second try; doubles with each
  bool offline = false;                       // use only files that are here already, as HF_HUB_OFFLINE=1 does
  bool verify = false;                        // read the files that are here already; fetch damaged ones again
  const std::atomic<bool>* cancel = nullptr;  // once set, Error(cancelled) soon
  std::function<void(const PullProgress&)> progress;  // about ten times a second; the caller's thread
  // Called before the weights are fetched, with a path that opens as a model: configuration, tokenizer and the headers
  // of the weights' files are there, and their tensors are zeros. What it throws ends the pull. Empty: only what every
  // model is checked for.
  ModelCheck check;
};

struct VerifyOptions {
  bool deep = false;                          // look into every tensor as well
  const std::atomic<bool>* cancel = nullptr;  // once set, Error(cancelled) soon
};

// The result of verifying a model's files.
struct VerifyReport {
  int64_t bytes = 0;                  // that were hashed
  int64_t tensors = 0;                // that were looked into
  std::vector<std::string> problems;  // a line each; none: the files are as the manifest says
};

// What a removal removed.
struct RemovedModel {
  std::string name;   // as it was registered
  int64_t bytes = 0;  // freed on the disk
};

// What a clean-up removed.
struct GarbageReport {
  std::vector<std::string> removed;  // folders and unfinished downloads
  int64_t bytes = 0;                 // freed on the disk
  std::vector<std::string> busy;     // kept, because another process works there
};

// The model of a name or a path.
struct LocatedModel {
  std::filesystem::path path;           // to load
  std::optional<InstalledModel> model;  // none: the path is not the registry's
};

// A model that no process removes while this object lives.
struct ModelInUse {
  std::filesystem::path path;        // to load
  std::shared_ptr<const void> hold;  // empty for a path, which is not protected
};

// Takes a line for people about a model that was skipped.
using WarningCallback = std::function<void(const std::string& warning)>;

// The folder of all models: EMELEX_MODELS_DIR, else OpenAgents/models in the user's data folder. It is not created.
// Throws Error(invalid_argument) when the environment names neither.
std::filesystem::path default_models_root();

// "SmolLM2-135M-Instruct.Q4_1.gguf" → "smollm2-135m-instruct:q4_1". `quantization` is used when the file name has none.
// It may be empty.
std::string derive_model_name(const std::filesystem::path& file, std::string_view quantization);

// Throws Error(invalid_argument) unless `name` has 1 to 128 characters of a-z 0-9 . _ - with at most one ':', each
// part beginning and ending with a letter or digit. Such a name is safe in a path on every system.
void check_model_name(std::string_view name);

// Whether `text` can name a model at a hub: an alias ("llama3.2:3b"), or "org/name" with or without ":QUANT". False for
// an existing file.
bool can_be_pulled(const std::string& text);

// The registry. Any thread of any number of processes may call its methods at once. A manifest is replaced as a whole
// or not at all. Calls that change a model's folder wait for each other.
class ModelRegistry {
 public:
  // `root`: empty for default_models_root(), which only methods that need it call. `quantization` ("q5_k_m") is
  // preferred where a repository has several and none is named. Empty: Q4_K_M, else Q4_0.
  explicit ModelRegistry(std::filesystem::path root = {}, std::string quantization = {})
      : root_(std::move(root)), quantization_(std::move(quantization)) {}

  std::filesystem::path root() const { return root_.empty() ? default_models_root() : root_; }

  // All models in the order of their names. A folder with a damaged manifest is skipped and reported to `warn`, which
  // may be empty. A folder without a manifest is an unfinished import or pull, and skipped silently.
  std::vector<InstalledModel> list(const WarningCallback& warn) const;

  // Registers a .gguf file or a folder of SafeTensors. Any file of a split model stands for all of its files. Importing
  // a model again renews its entry. A model whose bytes are in the registry already stays as it is. A copy keeps the
  // files' modes, without others' permission to write. It follows no link out of a folder, except to the blobs of
  // Hugging Face's cache. Throws Error when the path can't be read as a model, or when the name belongs to another
  // model.
  InstalledModel import_file(const std::filesystem::path& path, const ImportOptions& options) const;

  // Fetches a model from the hub that HF_ENDPOINT names (default: Hugging Face) and registers it. `what` is an alias or
  // "org/name[:QUANT]". Continues an earlier pull, and does nothing when all files are there. Waits for a process that
  // pulls the same model. Throws Error: not_found, network, io, cancelled, corrupt_file, invalid_argument. Files that
  // were received stay for the next pull.
  InstalledModel pull(const std::string& what, const PullOptions& options) const;

  // The model of a name, whatever the case of its letters, or of an alias or repository. Throws Error(not_found) with
  // the nearest names.
  InstalledModel find(std::string_view name) const;

  // The model to load for what a user typed: an existing file, a registered name, a folder with a config.json, an alias
  // or a repository that was pulled, in this order. Throws Error(not_found) when it is none of them, with the nearest
  // names or the command that fetches it.
  LocatedModel locate(const std::string& name_or_path) const;

  // The path alone.
  std::filesystem::path resolve(const std::string& name_or_path) const { return locate(name_or_path).path; }

  // The same. A registered model can't be removed while the result lives. It counts as used now, which is recorded
  // where the root can be written.
  ModelInUse open(const std::string& name_or_path) const;

  // Reads all files of a model and compares them with the manifest. A deep look also opens them as a model, which
  // checks the names, sizes and offsets of all tensors, and reads the values of every tensor. A scale or number that is
  // infinite or NaN is a problem, with the tensor's name.
  VerifyReport verify(const InstalledModel& model, const VerifyOptions& options = {}) const;

  // Removes a model with the files in its folder. Files elsewhere stay. An alias or repository may stand for a model if
  // it means only one. Throws Error(not_found). Throws Error(invalid_argument) when the name means several models (with
  // their names), while another process uses the model, and when its folder is a link to another.
  RemovedModel remove(std::string_view name) const;

  // Removes unfinished downloads, folders that a pull or import began, and what a killed process left beside files that
  // it wrote elsewhere (see note_output). Files of registered models and folders that emelex did not make stay.
  GarbageReport collect_garbage() const;

  // Records that a file or folder outside of the registry is being written, until the result is destroyed. If this
  // process is killed, collect_garbage() finds what is left of it. Never throws. Empty where the root can't be written.
  std::shared_ptr<const void> note_output(const std::filesystem::path& output) const;

  // Finds out whether this version of emelex can run a model, as `check` says by what it throws, and sets `refused`.
  // The answer is kept in the model's folder, where list() and find() see it too, until emelex's version or the size or
  // time of change of one of the model's files is another; `again`: asks in any case. Models whose files are gone are
  // left alone. Throws Error(cancelled) alone.
  void check_runs(InstalledModel& model, const ModelCheck& check, bool again = false) const;

  // The name of the default model; empty: none was chosen, or it is gone.
  std::string default_model() const;
  // Throws Error(not_found) for a model that is not here.
  void set_default_model(std::string_view name) const;

 private:
  const InstalledModel* find_pulled(std::string_view text, const std::vector<InstalledModel>& models) const;

  std::filesystem::path root_;
  std::string quantization_;
};

}  // namespace emelex
