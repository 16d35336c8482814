#include <algorithm>

#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/aliases.h"
#include "hub/environment.h"
#include "hub/manifest.h"
#include "hub/model_folder.h"
#include "hub/model_lock.h"
#include "hub/names.h"
#include "hub/reference.h"
#include "hub/select_files.h"
#include "weights/safetensors/model_files.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

std::string join_quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += str_cat(text.empty() ? "" : ", ", "'", name, "'");
  return text;
}

}  // namespace

fs::path default_models_root() {
  const std::string chosen = environment("EMELEX_MODELS_DIR");
  if (!chosen.empty()) return fs::absolute(chosen);
  const fs::path home = home_folder();
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

std::vector<InstalledModel> ModelRegistry::list(const WarningCallback& warn) const {
  const fs::path root = this->root();
  std::vector<InstalledModel> models;
  std::error_code error;
  for (fs::directory_iterator folder(root, error), end; !error && folder != end; folder.increment(error)) {
    if (!has_manifest(folder->path())) continue;
    try {
      models.push_back(read_model(folder->path()));
    } catch (const Error& damaged) {
      if (warn) warn(damaged.what());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw Error(ErrorCode::io, str_cat("[hub] can't list ", in_quotes(root.string()), ": ", error.message()));
  }
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

InstalledModel ModelRegistry::find(std::string_view name) const {
  const std::string lower = to_lower(name);
  bool possible = true;
  try {
    check_model_name(lower);
  } catch (const Error&) {
    possible = false;
  }
  const fs::path folder = root() / folder_of_name(possible ? lower : "-");
  if (possible && has_manifest(folder)) return read_model(folder);

  const std::vector<InstalledModel> models = list({});
  if (const InstalledModel* pulled = find_pulled(name, models)) return *pulled;
  const bool remote = can_be_pulled(std::string(name));
  if (!possible && !remote) {
    throw Error(ErrorCode::not_found, str_cat("[hub] expected a model, got ", in_quotes(name),
                                              ", which is neither a file nor a possible name"));
  }
  if (remote) {
    throw Error(ErrorCode::not_found, str_cat("[hub] no file and no model here is named ", in_quotes(name),
                                              "; 'emelex pull ", name, "' fetches it from the hub"));
  }
  std::vector<std::string> names;
  for (const InstalledModel& model : models) names.push_back(model.name);
  std::string similar = join_quoted(similar_names(lower, names));
  if (similar.empty()) similar = join_quoted(similar_names(lower, alias_names()));
  const std::string advice = !similar.empty() ? "; did you mean " + similar + "?"
                             : models.empty() ? "; no model is here yet: 'emelex pull' and 'emelex import' add one"
                                              : "; 'emelex list' shows the names";
  throw Error(ErrorCode::not_found, str_cat("[hub] no file and no model is named ", in_quotes(name), advice));
}

// Of several quantizations of a repository the one that a pull would take, else the first.
const InstalledModel* ModelRegistry::find_pulled(std::string_view text,
                                                 const std::vector<InstalledModel>& models) const {
  const auto reference = parse_reference(text);
  if (!reference) return nullptr;
  const std::vector<std::string> preferred = preferred_quantizations(quantization_, reference->usual);
  const InstalledModel* best = nullptr;
  auto best_rank = preferred.end();
  for (const InstalledModel* model : pulled_as(text, models)) {
    const std::string quantization = quantization_of_file(model->path.filename().string());
    const auto rank = std::find(preferred.begin(), preferred.end(), quantization);
    if (best != nullptr && rank >= best_rank) continue;
    best = model;
    best_rank = rank;
  }
  return best;
}

LocatedModel ModelRegistry::locate(const std::string& name_or_path) const {
  const fs::path path = name_or_path;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  const bool must_be_path = name_or_path.find('/') != std::string::npos;
  const bool is_folder = fs::is_directory(status);
  if (fs::exists(status) && !is_folder) return {path, {}};
  if (is_folder && (must_be_path || !has_manifest(root() / folder_of_name(to_lower(name_or_path))))) {
    if (fs::exists(path / "config.json", error)) return {path, {}};
    refuse_folder_without_config(path);
  }
  const bool remote = can_be_pulled(name_or_path);
  if (!is_folder && !remote && (must_be_path || name_or_path.ends_with(".gguf"))) {
    const std::string why = error ? error.message() : "No such file or directory";
    throw Error(ErrorCode::not_found, str_cat("[hub] expected a model, got ", in_quotes(name_or_path), ": ", why,
                                              "; 'emelex list' shows the models that have a name"));
  }
  InstalledModel model = find(name_or_path);
  fs::path file = path_to_load(model);
  if (!fs::exists(file, error)) {
    throw Error(ErrorCode::not_found, str_cat("[hub] the file of '", model.name, "', ", in_quotes(file.string()),
                                              ", is not there any more; import or pull it again"));
  }
  return {std::move(file), std::move(model)};
}

ModelInUse ModelRegistry::open(const std::string& name_or_path) const {
  const LocatedModel found = locate(name_or_path);
  if (!found.model) return {found.path, nullptr};
  ModelInUse model{found.path, hold_model(found.model->folder / kManifestName)};
  note_use(found.model->folder);
  return model;
}

bool can_be_pulled(const std::string& text) {
  std::error_code ignored;
  // "folder/model.gguf" is a path that leads nowhere; only an address or a ':' says that a hub is meant.
  const bool path = text.ends_with(".gguf") && text.find(':') == std::string::npos;
  return parse_reference(text).has_value() && !path && !fs::exists(text, ignored);
}

}  // namespace emelex
