#pragma once

#include <cstdint>
#include <filesystem>

namespace emelex {

// Bytes of the disk that a file takes, which are fewer than its size where it has holes; 0 when it can't be asked.
int64_t allocated_bytes(const std::filesystem::path& file);

// Throws Error(io), with both numbers, unless the disk that `folder` lies on has room for so many bytes.
void check_disk_space(const std::filesystem::path& folder, int64_t bytes);

// Removes a folder with what is in it. Links are removed, not followed. Throws Error(io).
void remove_folder(const std::filesystem::path& folder);

}  // namespace emelex
