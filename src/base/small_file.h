#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <string>

namespace emelex {

struct SmallFileOptions {
  size_t most_bytes = size_t{1} << 20;        // a longer file is an error
  const std::atomic<bool>* cancel = nullptr;  // once set, Error(cancelled) soon
};

// The bytes of a small file, such as a configuration or a token. Only a regular file is read: a pipe could wait for
// ever, and a device may have no end. Links are followed. A file that another program shortens meanwhile is read as far
// as it goes. Safe to call from any thread. Throws Error: not_found; io, for what is no regular file or can't be read;
// unsupported, for one of more than `most_bytes`; cancelled.
std::string read_small_file(const std::filesystem::path& file, const SmallFileOptions& options = {});

}  // namespace emelex
