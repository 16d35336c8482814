#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "emelex/hub.h"

namespace emelex {

bool has_manifest(const std::filesystem::path& folder);

// The model whose manifest lies in `folder`. Throws Error(corrupt_file).
InstalledModel read_model(const std::filesystem::path& folder);

// Dates the model, and puts its manifest into its folder: from then on it is there. Whole or not at all.
void install_manifest(InstalledModel& model);

// What is to be loaded, as an absolute path.
std::filesystem::path path_to_load(const InstalledModel& model);

// Where a file of the model lies.
inline std::filesystem::path file_path(const InstalledModel& model, const ModelFile& file) {
  return model.folder / file.path;
}

// Puts down that a model is used now: the time of an empty file in its folder. The manifest is not touched, which other
// processes may hold. Where the folder can't be written, nothing happens.
void note_use(const std::filesystem::path& folder);

// Reads what note_check() put down into `refused`. False where that no longer holds: the version of emelex is another,
// or a file of the model has another size or time of change, or is gone.
bool read_check(InstalledModel& model);

// Puts down that this version refuses the model, or that it can run it (`refused` is empty). Where the folder can't be
// written, nothing happens.
void note_check(const InstalledModel& model);

// Throws Error(invalid_argument) for a model's folder that is a link: what it leads to is not the registry's to change.
void refuse_linked_folder(const std::filesystem::path& folder);

// With those above it. Throws Error(io).
void create_folder(const std::filesystem::path& folder);

// Format, architecture, sizes and type, as the files say. Opening them is also the check that they are a model at all.
// `path` is a .gguf file or a folder. Returns the files that hold the weights, as absolute paths.
std::vector<std::filesystem::path> describe_model_files(InstalledModel& model, const std::filesystem::path& path);

}  // namespace emelex
