#include "hub/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/strings.h"
#include "hub/names.h"

namespace emelex {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const std::filesystem::path& folder, std::string_view problem) {
  throw Error(ErrorCode::corrupt_file, str_cat("[hub] ", in_quotes((folder / kManifestName).string()), ": ", problem));
}

const Json& member(const Json& object, const char* key, const std::filesystem::path& folder) {
  const auto found = object.find(key);
  if (found == object.end()) fail(folder, str_cat("expected a key '", key, "', got none"));
  return *found;
}

std::string string_member(const Json& object, const char* key, const std::filesystem::path& folder) {
  const Json& value = member(object, key, folder);
  if (!value.is_string()) fail(folder, str_cat("expected a string for '", key, "', got ", value.type_name()));
  return value.get<std::string>();
}

int64_t count_member(const Json& object, const char* key, const std::filesystem::path& folder) {
  const Json& value = member(object, key, folder);
  const bool fits = value.is_number_integer() && value.get<int64_t>() >= 0;
  if (!fits) fail(folder, str_cat("expected a number from 0 for '", key, "'"));
  return value.get<int64_t>();
}

// "" for null or no such key.
std::string optional_string(const Json& object, const char* key, const std::filesystem::path& folder) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? "" : string_member(object, key, folder);
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

void check_path(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const bool climbs = std::any_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
  const bool has_zero = path.native().find('\0') != std::string::npos;
  if (path.empty() || climbs || has_zero) {
    fail(folder, str_cat("expected a path inside the folder or an absolute one, got ", in_quotes(path.string())));
  }
}

ModelFile read_file_entry(const Json& entry, const std::filesystem::path& folder) {
  if (!entry.is_object()) fail(folder, "expected objects in 'files'");
  ModelFile file{string_member(entry, "path", folder), count_member(entry, "size", folder),
                 string_member(entry, "sha256", folder), optional_string(entry, "etag", folder)};
  check_path(file.path, folder);
  const bool hex = file.sha256.size() == 64 && file.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex) fail(folder, "expected 64 hexadecimal digits for 'sha256'");
  return file;
}

}  // namespace

std::string write_manifest(const InstalledModel& model) {
  Json files = Json::array();
  for (const ModelFile& file : model.files) {
    files.push_back(
        {{"path", file.path.string()}, {"size", file.size}, {"sha256", file.sha256}, {"etag", or_null(file.etag)}});
  }
  const Json source = {{"kind", model.source.kind},
                       {"repo", or_null(model.source.repo)},
                       {"revision", or_null(model.source.revision)},
                       {"commit", or_null(model.source.commit)}};
  const Json manifest = {{"name", model.name},
                         {"path", model.path.string()},
                         {"source", source},
                         {"format", model.format},
                         {"architecture", model.architecture},
                         {"parameters", model.parameters},
                         {"quantization", model.quantization},
                         {"context_length", model.context_length},
                         {"size", model.size},
                         {"files", files},
                         {"installed_at", model.installed_at},
                         {"default_options", Json::object()}};
  // A path need not be UTF-8, JSON must be: such a file is refused rather than not found later.
  try {
    return json_text(manifest, 2) + "\n";
  } catch (const Json::type_error&) {
    throw Error(ErrorCode::unsupported, str_cat("[hub] expected UTF-8 in the model's path and metadata, got others in ",
                                                in_quotes(model.path.string())));
  }
}

InstalledModel read_manifest(std::string_view text, const std::filesystem::path& folder) {
  const Json manifest = ordered_json_of(text);
  if (!manifest.is_object()) fail(folder, "expected a JSON object");

  InstalledModel model;
  model.folder = folder;
  model.name = string_member(manifest, "name", folder);
  try {
    check_model_name(model.name);
  } catch (const Error& error) {
    fail(folder, error.what());
  }
  if (folder_of_name(model.name) != folder.filename()) {
    // Nothing is damaged: somebody has renamed the folder.
    throw Error(
        ErrorCode::invalid_argument,
        str_cat("[hub] ", in_quotes((folder / kManifestName).string()), ": expected the name of this folder, got ",
                in_quotes(model.name), "; give the folder its name ", in_quotes(folder_of_name(model.name)), " again"));
  }
  const Json& source = member(manifest, "source", folder);
  if (!source.is_object()) fail(folder, "expected an object for 'source'");
  model.source = {string_member(source, "kind", folder), optional_string(source, "repo", folder),
                  optional_string(source, "revision", folder), optional_string(source, "commit", folder)};
  model.path = string_member(manifest, "path", folder);
  check_path(model.path, folder);
  model.format = string_member(manifest, "format", folder);
  model.architecture = string_member(manifest, "architecture", folder);
  model.quantization = string_member(manifest, "quantization", folder);
  model.parameters = count_member(manifest, "parameters", folder);
  model.context_length = count_member(manifest, "context_length", folder);
  model.size = count_member(manifest, "size", folder);
  model.installed_at = string_member(manifest, "installed_at", folder);

  const Json& files = member(manifest, "files", folder);
  if (!files.is_array() || files.empty()) fail(folder, "expected at least one of 'files'");
  for (const Json& entry : files) model.files.push_back(read_file_entry(entry, folder));
  return model;
}

}  // namespace emelex
