#include "tools/quantize/output_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/durable_file.h"
#include "base/json_text.h"
#include "base/small_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "tools/quantize/hf_files.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& folder, std::string_view why) {
  throw Error(ErrorCode::invalid_argument, str_cat("[quantize] expected a new or empty folder, or an MLX folder to "
                                                   "replace, got '",
                                                   path_text(folder), "', ", why, "; choose another OUTPUT"));
}

// "model.safetensors", "model-00001-of-00002.safetensors", config.json, the index, and what a tokenizer has.
bool is_mlx_folder_file(const std::string& name) {
  const bool weights = name.starts_with("model") && name.ends_with(".safetensors");
  return weights || name == "config.json" || name == "model.safetensors.index.json" || is_side_file(name);
}

bool says_mlx(const fs::path& config) {
  constexpr size_t kMostBytes = size_t{16} << 20;
  try {
    const auto json = json_of(read_small_file(config, {.most_bytes = kMostBytes}));
    const auto found = json.find("quantization");
    return json.is_object() && found != json.end() && found->is_object() && found->contains("group_size") &&
           found->contains("bits");
  } catch (const Error&) {
    return false;
  }
}

// Only the files that obstacle_in_mlx_folder has seen: one that came meanwhile stays, and the folder with it.
void remove_mlx_folder(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    if (is_mlx_folder_file(entry->path().filename().string())) files.push_back(entry->path());
  }
  for (const fs::path& file : files) fs::remove(file, ignored);
  fs::remove(folder, ignored);
}

}  // namespace

std::string obstacle_in_mlx_folder(const fs::path& folder) {
  std::error_code error;
  bool empty = true;
  fs::directory_iterator entry(folder, error);
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    empty = false;
    const std::string name = entry->path().filename().string();
    if (!fs::is_regular_file(entry->symlink_status(error)) || !is_mlx_folder_file(name)) {
      return str_cat("which holds '", path_text(name), "'");
    }
  }
  if (error) return "which can't be looked into: " + error.message();
  if (!empty && !says_mlx(folder / "config.json")) return "which is not quantized in MLX's format";
  return "";
}

OutputFolder::OutputFolder(const fs::path& folder, bool replace)
    : folder_(fs::absolute(folder).lexically_normal()), replace_(replace) {
  if (!folder_.has_filename()) folder_ = folder_.parent_path();
  check();
  std::error_code error;
  for (int tries = 0; tries < 100; ++tries) {
    temporary_ = temporary_name(folder_);
    if (fs::create_directory(temporary_, error)) return;
    if (error) break;
  }
  throw Error(ErrorCode::io, str_cat("[quantize] expected a folder that can be made, got ", path_text(folder_), ": ",
                                     error.message()));
}

OutputFolder::~OutputFolder() {
  if (committed_) return;
  try {
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  } catch (...) {  // memory that is short; `emelex gc` finds what is left
  }
}

void OutputFolder::check() const {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder_, error);
  if (status.type() == fs::file_type::not_found) return;
  if (!fs::is_directory(status)) refuse(folder_, "which is no folder");
  if (fs::equivalent(folder_, fs::current_path(error), error)) refuse(folder_, "which is the current folder");
  const std::string obstacle = obstacle_in_mlx_folder(folder_);
  if (!obstacle.empty()) refuse(folder_, obstacle);
  if (!replace_ && !fs::is_empty(folder_, error)) refuse(folder_, "which is there already");
}

void OutputFolder::commit() {
  check();                                            // again: much time has passed
  const fs::path old = temporary_.string() + ".old";  // a name that no clean-up takes
  std::error_code error;
  const bool replaces = fs::exists(fs::symlink_status(folder_, error));
  error.clear();
  if (replaces) fs::rename(folder_, old, error);
  if (!error) fs::rename(temporary_, folder_, error);
  if (error) {
    std::error_code ignored;
    if (replaces && !fs::exists(folder_, ignored)) fs::rename(old, folder_, ignored);
    throw Error(ErrorCode::io, str_cat("[quantize] can't put ", path_text(folder_), " in place: ", error.message()));
  }
  committed_ = true;
  if (replaces) remove_mlx_folder(old);
}

}  // namespace emelex
