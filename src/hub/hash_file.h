#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace emelex {

struct HashedFile {
  int64_t size = 0;
  std::string sha256;  // 64 hexadecimal digits
};

// Takes the next bytes of a file that is being read.
using ChunkCallback = std::function<void(std::span<const std::byte> bytes)>;

// Reads a file once, from beginning to end; `on_chunk` may be empty. Throws Error(not_found) or Error(io).
HashedFile hash_file(const std::filesystem::path& file, const ChunkCallback& on_chunk = {});

}  // namespace emelex
