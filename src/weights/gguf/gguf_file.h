#pragma once

#include <filesystem>
#include <memory>

#include "base/mapped_file.h"

namespace emelex {

// A file mapped into memory that begins as GGUF files do. Throws Error as MappedFile::open does, and for a file of
// another format says which that seems to be: corrupt_file when it calls itself .gguf, else unsupported.
std::shared_ptr<const MappedFile> map_gguf(const std::filesystem::path& path);

}  // namespace emelex
