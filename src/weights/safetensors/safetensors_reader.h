#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "weights/safetensors/safetensors_index.h"
#include "weights/weights.h"

// A model as Hugging Face has it: a folder with config.json and model.safetensors, or several such files and
// model.safetensors.index.json. Names and metadata become those of a GGUF file, see hf_config.h.
namespace emelex {

// What `folder` holds. The files are mapped and only their headers read. Throws Error, naming the file: not_found, io,
// corrupt_file or unsupported.
std::shared_ptr<const Weights> open_safetensors_folder(const std::filesystem::path& folder);

// The same by way of one of the .safetensors files: that file alone, with the config.json beside it; of a model in
// several files, all.
std::shared_ptr<const Weights> open_safetensors_file(const std::filesystem::path& path);

// A .safetensors file in memory. `owner` keeps the bytes where they are; `path` is for messages.
struct SafeTensorsPart {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::filesystem::path path;
};

// The same from memory, for those and for tests. A tensor may be in several parts if it is the
// same in all. Each that the index names must be in one of them, unless the file is there that should have it.
std::shared_ptr<const Weights> read_safetensors(std::string_view config, const std::vector<SafeTensorsPart>& parts,
                                                const std::filesystem::path& folder,
                                                const SafeTensorsIndex& index = {});

}  // namespace emelex
