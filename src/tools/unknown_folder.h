#pragma once

#include <filesystem>

#include "model_files/model_files.h"

namespace emelex {

// A folder of SafeTensors of an architecture that emelex does not know, or one of its files, to be described and not to
// be run: tensors with Hugging Face's names; sizes from config.json under GGUF's keys, and all else that is a single
// value there under "config.". Throws Error: not_found, io, corrupt_file.
ModelFiles open_unknown_folder(const std::filesystem::path& path);

}  // namespace emelex
