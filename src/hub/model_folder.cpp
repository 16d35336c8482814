#include "hub/model_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "base/durable_file.h"
#include "base/strings.h"
#include "hub/manifest.h"
#include "hub/names.h"
#include "quant/tensor_type.h"
#include "weights/weight_totals.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxManifestBytes = size_t{16} << 20;

constexpr const char* kUsedFile = ".used";  // hubs can't have one of that name: check_remote_path

std::string utc_text(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Two thousand of these are read before a list is shown: hence no stream.
std::string read_text(const fs::path& file) {
  const FileDescriptor fd = open_file(file, O_RDONLY);
  std::string all;
  for (size_t room = 4096; all.size() < kMaxManifestBytes; room *= 2) {  // a longer one is no manifest; it won't parse
    const size_t had = all.size();
    all.resize(had + room);
    const ssize_t n = ::read(fd.get(), all.data() + had, room);
    if (n < 0) throw_errno("can't read", file);
    all.resize(had + static_cast<size_t>(n));
    if (n == 0) break;
  }
  if (all.empty()) throw Error(ErrorCode::corrupt_file, str_cat("[hub] can't read ", in_quotes(file.string())));
  return all;
}

}  // namespace

bool has_manifest(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / kManifestName, error);
}

InstalledModel read_model(const fs::path& folder) {
  InstalledModel model = read_manifest(read_text(folder / kManifestName), folder);
  struct stat used {};
  if (::stat((folder / kUsedFile).c_str(), &used) == 0) model.last_used_at = utc_text(used.st_mtime);
  return model;
}

void note_use(const fs::path& folder) {
  try {
    const FileDescriptor file = open_file(folder / kUsedFile, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
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
