#include "hub/model_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/durable_file.h"
#include "base/small_file.h"
#include "base/strings.h"
#include "hub/digest.h"
#include "hub/manifest.h"
#include "hub/names.h"
#include "quant/tensor_type.h"
#include "weights/weight_totals.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxManifestBytes = size_t{16} << 20;

constexpr const char* kUsedFile = ".used";  // hubs can't have one of that name: check_remote_path
constexpr const char* kCheckedFile = ".checked";
constexpr size_t kMostReasonBytes = 4096;

// Seconds and nanoseconds.
std::pair<int64_t, int64_t> changed_at(const struct stat& file) {
#ifdef __APPLE__
  return {file.st_mtimespec.tv_sec, file.st_mtimespec.tv_nsec};
#else
  return {file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
#endif
}

std::string utc_text(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// What a check holds for: this version of emelex, and the size and time of change of each of the model's files. Empty
// where a file is not there.
std::string check_stamp(const InstalledModel& model) {
  Digest digest(Digest::Kind::sha256);
  for (const ModelFile& file : model.files) {
    struct stat found {};
    if (::stat(file_path(model, file).c_str(), &found) != 0) return "";
    const auto [seconds, nanoseconds] = changed_at(found);
    digest.add(str_cat(found.st_size, " ", seconds, " ", nanoseconds, "\n"));
  }
  return str_cat(EMELEX_VERSION, " ", digest.hex());
}

}  // namespace

bool has_manifest(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / kManifestName, error);
}

InstalledModel read_model(const fs::path& folder) {
  InstalledModel model =
      read_manifest(read_small_file(folder / kManifestName, {.most_bytes = kMaxManifestBytes}), folder);
  struct stat used {};
  if (::stat((folder / kUsedFile).c_str(), &used) == 0) model.last_used_at = utc_text(used.st_mtime);
  read_check(model);
  return model;
}

bool read_check(InstalledModel& model) {
  model.refused.clear();
  const fs::path file = model.folder / kCheckedFile;
  struct stat there {};
  if (::lstat(file.c_str(), &there) != 0) return false;
  try {
    const std::string text = read_small_file(file, {.most_bytes = kMostReasonBytes + 256});
    const size_t end = text.find('\n');
    const std::string stamp = check_stamp(model);
    if (end == std::string::npos || stamp.empty() || text.substr(0, end) != stamp) return false;
    model.refused = text.substr(end + 1);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void note_check(const InstalledModel& model) {
  try {
    const std::string stamp = check_stamp(model);
    if (stamp.empty()) return;
    DurableFile file(model.folder / kCheckedFile);
    file.write(str_cat(stamp, "\n", std::string_view(model.refused).substr(0, kMostReasonBytes)));
    file.commit();
  } catch (const Error&) {
    return;  // a model may well lie where one can only read
  }
}

void note_use(const fs::path& folder) {
  try {
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK;  // a pipe there must not hold anyone up
    const FileDescriptor file = open_file(folder / kUsedFile, flags, 0644);
    ::futimens(file.get(), nullptr);
  } catch (const Error&) {
    return;  // a model may well lie where one can only read
  }
}

void install_manifest(InstalledModel& model) {
  model.installed_at = utc_text(std::time(nullptr));
  DurableFile manifest(model.folder / kManifestName);
  manifest.write(write_manifest(model));
  manifest.commit();
}

fs::path path_to_load(const InstalledModel& model) {
  return model.path == "." ? model.folder : model.folder / model.path;
}

void refuse_linked_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_symlink(folder, error)) return;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[hub] expected a model's own folder, got ", in_quotes(folder.string()),
                      ", which is a link to another; remove the link, or choose another "
                      "name"));
}

void create_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder, error)) {
    throw Error(ErrorCode::io,
                str_cat("[hub] can't create the folder ", in_quotes(folder.string()), ": ", error.message()));
  }
}

std::vector<fs::path> describe_model_files(InstalledModel& model, const fs::path& path) {
  const auto weights = open_weights(path);
  std::error_code error;
  model.format = fs::is_directory(weights->path(), error) ? "safetensors" : "gguf";
  model.path = weights->path();
  model.architecture = weights->metadata().require_string("general.architecture");
  const auto context = weights->metadata().integer(model.architecture + ".context_length");
  model.context_length = std::max<int64_t>(0, context.value_or(0));

  const WeightTotals totals = total_weights(*weights);
  model.parameters = totals.parameters;
  model.quantization = totals.main_type;
  return weights->files();
}

}  // namespace emelex
