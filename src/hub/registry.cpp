#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>

#include "base/durable_file.h"
#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/hash_file.h"
#include "hub/manifest.h"
#include "hub/names.h"
#include "quant/tensor_type.h"
#include "weights/weights.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr std::streamsize kMaxManifestBytes = std::streamsize{16} << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string read_text(const fs::path& file) {
  std::ifstream input(file, std::ios::binary);
  std::string text(1 << 16, '\0');
  std::string all;
  while (input.read(text.data(), static_cast<std::streamsize>(text.size())) || input.gcount() > 0) {
    all.append(text, 0, static_cast<size_t>(input.gcount()));
    if (static_cast<std::streamsize>(all.size()) > kMaxManifestBytes) break;  // no manifest; it won't parse
  }
  if (all.empty()) throw Error(ErrorCode::corrupt_file, str_cat("[hub] can't read ", in_quotes(file.string())));
  return all;
}

InstalledModel read_model(const fs::path& folder) { return read_manifest(read_text(folder / kManifestName), folder); }

bool has_manifest(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / kManifestName, error);
}

// The model's file as an absolute path.
fs::path main_file(const InstalledModel& model) { return model.folder / model.files.at(0).path; }

[[noreturn]] void refuse_folder(const fs::path& folder) {
  std::error_code error;
  const bool has_model = fs::exists(folder / "config.json", error);
  throw Error(
      has_model ? ErrorCode::unsupported : ErrorCode::invalid_argument,
      str_cat("[hub] expected a ", has_model ? ".gguf file" : "model", ", got the folder ", in_quotes(folder.string()),
              has_model ? "; models in SafeTensors can't have a name yet, use the folder's path"
                        : ", which has no config.json; name a .gguf file in it"));
}

// What the file says about itself, and its other parts if it is one of several. Opening it is also the check that it is
// a model at all.
InstalledModel describe(const fs::path& file) {
  const auto weights = open_weights(file);
  std::error_code error;
  if (fs::is_directory(weights->path(), error)) refuse_folder(weights->path());
  InstalledModel model;
  for (const fs::path& part : weights->files()) model.files.push_back({part, 0, ""});
  model.source_kind = "file";
  model.format = "gguf";
  model.architecture = weights->metadata().require_string("general.architecture");
  const auto context = weights->metadata().integer(model.architecture + ".context_length");
  model.context_length = std::max<int64_t>(0, context.value_or(0));

  std::map<std::string, size_t> bytes_by_type;
  for (const auto& [name, tensor] : weights->tensors()) {
    int64_t values = 1;
    for (int64_t extent : tensor.shape) values *= extent;
    model.parameters += values;
    bytes_by_type[to_lower(tensor.type_name())] += tensor.bytes();
  }
  const auto most = std::max_element(bytes_by_type.begin(), bytes_by_type.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != bytes_by_type.end()) model.quantization = most->first;
  return model;
}

// The entry may be renewed when it is the same file by path or by content; anything else is someone's other model.
void check_name_is_free(const InstalledModel& model) {
  if (!has_manifest(model.folder)) return;
  InstalledModel known;
  try {
    known = read_model(model.folder);
  } catch (const Error&) {
    return;  // a damaged entry is repaired by importing again
  }
  const ModelFile& file = model.files.at(0);
  if (main_file(known) == file.path || known.files.at(0).sha256 == file.sha256) return;
  throw Error(ErrorCode::invalid_argument,
              str_cat("[hub] expected a new name, got '", model.name, "', which is ",
                      in_quotes(main_file(known).string()), " already; choose another name"));
}

void create_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder, error)) {
    throw Error(ErrorCode::io,
                str_cat("[hub] can't create the folder ", in_quotes(folder.string()), ": ", error.message()));
  }
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
}

std::string join_quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += str_cat(text.empty() ? "" : ", ", "'", name, "'");
  return text;
}

}  // namespace

fs::path default_models_root() {
  const std::string chosen = environment("EMELEX_MODELS_DIR");
  if (!chosen.empty()) return fs::absolute(chosen);
  const fs::path home = environment("HOME");
#ifdef __APPLE__
  const fs::path data = home.empty() ? fs::path() : home / "Library" / "Application Support";
#else
  // The XDG specification says that a relative path is to be ignored.
  fs::path data = environment("XDG_DATA_HOME");
  if (!data.is_absolute()) data = home.empty() ? fs::path() : home / ".local" / "share";
#endif
  if (data.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "[hub] expected HOME or EMELEX_MODELS_DIR to say where models lie, got neither; set EMELEX_MODELS_DIR");
  }
  return data / "OpenAgents" / "models";
}

std::vector<InstalledModel> Registry::list(const WarningCallback& warn) const {
  std::vector<InstalledModel> models;
  std::error_code error;
  for (fs::directory_iterator folder(root_, error), end; !error && folder != end; folder.increment(error)) {
    if (!has_manifest(folder->path())) continue;
    try {
      models.push_back(read_model(folder->path()));
    } catch (const Error& damaged) {
      if (warn) warn(damaged.what());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw Error(ErrorCode::io, str_cat("[hub] can't list ", in_quotes(root_.string()), ": ", error.message()));
  }
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

InstalledModel Registry::import_file(const fs::path& given, const ImportOptions& options) const {
  if (!options.name.empty()) check_model_name(to_lower(options.name));
  std::error_code error;
  const fs::path file = fs::absolute(given, error).lexically_normal();
  InstalledModel model = describe(file);
  model.name = options.name.empty() ? derive_model_name(file, model.quantization) : to_lower(options.name);
  check_model_name(model.name);
  model.folder = root_ / folder_of_name(model.name);

  hash_files(model);
  check_name_is_free(model);
  create_folder(model.folder);
  if (options.copy) copy_files(model);
  model.installed_at = utc_now();

  DurableFile manifest(model.folder / kManifestName);
  manifest.write(write_manifest(model));
  manifest.commit();
  return model;
}

InstalledModel Registry::find(std::string_view name) const {
  const std::string lower = to_lower(name);
  try {
    check_model_name(lower);
  } catch (const Error&) {
    throw Error(ErrorCode::not_found, str_cat("[hub] expected a model, got ", in_quotes(name),
                                              ", which is neither a file nor a possible name"));
  }
  const fs::path folder = root_ / folder_of_name(lower);
  if (has_manifest(folder)) return read_model(folder);

  std::vector<std::string> names;
  for (const InstalledModel& model : list({})) names.push_back(model.name);
  const std::string similar = join_quoted(similar_names(lower, names));
  const std::string advice = !similar.empty() ? "; did you mean " + similar + "?"
                             : names.empty()  ? "; no model is registered yet: 'emelex import FILE.gguf' adds one"
                                              : "; 'emelex list' shows the names";
  throw Error(ErrorCode::not_found, str_cat("[hub] no file and no model is named ", in_quotes(name), advice));
}

fs::path Registry::resolve(const std::string& name_or_path) const {
  const fs::path path = name_or_path;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  const bool must_be_path = name_or_path.find('/') != std::string::npos;
  const bool is_folder = fs::is_directory(status);
  if (fs::exists(status) && !is_folder) return path;
  if (is_folder && (must_be_path || !has_manifest(root_ / folder_of_name(to_lower(name_or_path))))) {
    if (fs::exists(path / "config.json", error)) return path;
    refuse_folder(path);
  }
  if (!is_folder && (must_be_path || name_or_path.ends_with(".gguf"))) {
    const std::string why = error ? error.message() : "No such file or directory";
    throw Error(ErrorCode::not_found, str_cat("[hub] expected a model, got ", in_quotes(name_or_path), ": ", why,
                                              "; 'emelex list' shows the models that have a name"));
  }
  const InstalledModel model = find(name_or_path);
  const fs::path file = main_file(model);
  if (!fs::exists(file, error)) {
    throw Error(ErrorCode::not_found, str_cat("[hub] the file of '", model.name, "', ", in_quotes(file.string()),
                                              ", is not there any more; import it again from where it is now"));
  }
  return file;
}

fs::path resolve_model(const std::string& name_or_path) {
  std::error_code ignored;
  const bool is_path = name_or_path.find('/') != std::string::npos || fs::is_regular_file(name_or_path, ignored);
  return (is_path ? Registry(fs::path()) : Registry()).resolve(name_or_path);
}

}  // namespace emelex
