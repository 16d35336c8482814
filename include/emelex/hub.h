#pragma once

// Models on this computer: a folder for each, holding a manifest.json and, unless they stay where they are, the model's
// files. There is no database; what the folders say is the truth. And how they get there: from files, or from Hugging
// Face and hubs that speak like it.

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
  std::filesystem::path path;  // absolute: referenced where it lies; relative: inside the model's folder
  int64_t size = 0;            // bytes
  std::string sha256;          // 64 hexadecimal digits
  std::string etag;            // what the hub calls these bytes: their SHA-256, or git's hash; empty: not from a hub
};

// Where a model came from. All but `kind` is empty for a file.
struct ModelSource {
  std::string kind;      // "file" or "huggingface"
  std::string repo;      // "org/name"
  std::string revision;  // "main"
  std::string commit;    // 40 hexadecimal digits: what the revision was then
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
  bool copy = false;                          // copy the files into the registry; else they are used where they lie
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
  std::vector<std::string> notes;  // lines for people since the last call: what is waited for and why
};

struct PullOptions {
  std::string revision = "main";           // branch, tag or commit
  std::string name;                        // what to register it as; empty: the repository's name and the quantization
  std::string include;                     // files to fetch, as a pattern ("*Q6_K*"); empty: those that the model needs
  int connections = 8;                     // at most: one where that is quick enough
  int64_t part_bytes = int64_t{16} << 20;  // what one connection asks for at a time
  double stall_seconds = 30;               // without a byte: the connection is given up, and another one made
  int tries = 8;                           // in a row without a byte, before giving up
  double retry_seconds = 0.5;              // before the second try; doubles with each
  bool offline = false;                    // as HF_HUB_OFFLINE=1: only what is here already
  bool verify = false;                     // read what is here already, and fetch again what is damaged
  const std::atomic<bool>* cancel = nullptr;          // once set, Error(cancelled) soon
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

// What is wrong with a model's files.
struct VerifyReport {
  int64_t bytes = 0;                  // that were hashed
  int64_t tensors = 0;                // that were looked into
  std::vector<std::string> problems;  // a line each; none: all is as it was
};

// What a removal removed.
struct RemovedModel {
  std::string name;   // as it was registered
  int64_t bytes = 0;  // of disk that are free again
};

// What a clean-up removed.
struct GarbageReport {
  std::vector<std::string> removed;  // folders and unfinished downloads
  int64_t bytes = 0;                 // of disk
  std::vector<std::string> busy;     // left alone: another process is at work there
};

// What a name or a path leads to.
struct LocatedModel {
  std::filesystem::path path;           // to load
  std::optional<InstalledModel> model;  // none: a path, which is no business of the registry's
};

// A model that will not be removed while this lives.
struct ModelInUse {
  std::filesystem::path path;        // to load
  std::shared_ptr<const void> hold;  // empty for a path, which nothing guards
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

// Whether `text` could be a model at a hub: an alias ("llama3.2:3b"), or "org/name" with or without ":QUANT". No file.
bool can_be_pulled(const std::string& text);

// The registry. Its methods may be called from any thread and by any number of processes at once: a manifest is
// replaced as a whole or not at all, and what changes a model's folder waits for its turn.
class ModelRegistry {
 public:
  // Without a root it is default_models_root(), which only methods that need one ask for: a path to a model does not.
  // `quantization` ("q5_k_m") is preferred where a repository has several and none is named; empty: Q4_K_M, else Q4_0.
  explicit ModelRegistry(std::filesystem::path root = {}, std::string quantization = {})
      : root_(std::move(root)), quantization_(std::move(quantization)) {}

  std::filesystem::path root() const { return root_.empty() ? default_models_root() : root_; }

  // All models by name. A folder whose manifest is damaged is reported to `warn` (which may be empty) and skipped; one
  // without a manifest is an unfinished import or pull and skipped silently.
  std::vector<InstalledModel> list(const WarningCallback& warn) const;

  // Registers a .gguf file, of a model in several all of them by way of any one, or a folder of SafeTensors. Importing
  // the same again renews its entry; a model that lies in the registry already, byte for byte, stays as it is. A copy
  // keeps the files' modes, but for others' leave to write, and follows no link out of a folder but to the blobs of
  // Hugging Face's cache. Throws Error when it can't be read as a model, or when the name belongs to another.
  InstalledModel import_file(const std::filesystem::path& path, const ImportOptions& options) const;

  // Fetches a model from the hub that HF_ENDPOINT names (Hugging Face) and registers it: `what` is an alias or
  // "org/name[:QUANT]". Goes on where an earlier pull ended, and does nothing when all is there. A process that pulls
  // the same model is waited for. Throws Error: not_found, network, io, cancelled, corrupt_file, invalid_argument; what
  // has come stays, for the next pull.
  InstalledModel pull(const std::string& what, const PullOptions& options) const;

  // The model of that name, capital letters allowed; or that of an alias or repository. Throws Error(not_found) with
  // the nearest names.
  InstalledModel find(std::string_view name) const;

  // The model to load for what a user typed: an existing file, a folder with a config.json, a registered name (which
  // comes before a folder), an alias or a repository that was pulled. Throws Error(not_found) when it is none, with the
  // nearest names or the command that fetches it.
  LocatedModel locate(const std::string& name_or_path) const;

  // The path alone.
  std::filesystem::path resolve(const std::string& name_or_path) const { return locate(name_or_path).path; }

  // The same, and keeps a registered model from being removed. It counts as used now, which is put down where the root
  // can be written.
  ModelInUse open(const std::string& name_or_path) const;

  // Reads all files of a model and compares them with the manifest. A deep look also opens them as a model, which
  // checks names, sizes and places of all tensors, and reads every tensor's values: a block's scale or a number that is
  // infinite or none is a problem, with the tensor's name.
  VerifyReport verify(const InstalledModel& model, const VerifyOptions& options = {}) const;

  // Removes a model with the files in its folder; those that are referenced elsewhere stay. An alias or repository will
  // do where it means one model. Throws Error(not_found), or Error(invalid_argument): where it means several, with
  // their names, while another process uses it, or for a folder that is a link to another.
  RemovedModel remove(std::string_view name) const;

  // Removes unfinished downloads, folders that a pull or import began, and what a killed process left beside the files
  // that it wrote elsewhere (see note_output). Files of a registered model and folders of others stay.
  GarbageReport collect_garbage() const;

  // Puts down that a file or folder is being written outside of the registry, for as long as what is returned lives, so
  // that collect_garbage() finds what is left of it where this process is killed. Never throws; empty where the root
  // can't be written.
  std::shared_ptr<const void> note_output(const std::filesystem::path& output) const;

  // Finds out whether this version of emelex can run a model, as `check` says by what it throws, and sets `refused`.
  // The answer is kept in the model's folder, where list() and find() see it too, until emelex's version or the size or
  // time of change of one of the model's files is another; `again`: asks in any case. Models whose files are gone are
  // left alone. Throws Error(cancelled) alone.
  void check_runs(InstalledModel& model, const ModelCheck& check, bool again = false) const;

  // The model that is meant where none is named; empty: none was chosen, or it is gone.
  std::string default_model() const;
  // Throws Error(not_found) for a model that is not here.
  void set_default_model(std::string_view name) const;

 private:
  const InstalledModel* find_pulled(std::string_view text, const std::vector<InstalledModel>& models) const;

  std::filesystem::path root_;
  std::string quantization_;
};

}  // namespace emelex
