#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace emelex::cuda {

// Compiled kernels on disk, by what they were compiled from. They are code: nothing is read from, or written to, a
// folder that is not the user's own or that others may enter, and a file is used only where its key and the hash of its
// content are as written. Failing is no error: a kernel is compiled again.
class KernelCache {
 public:
  KernelCache();  // the folder that compile_cached names, made with mode 0700
  explicit KernelCache(const std::filesystem::path& folder);

  bool usable() const { return !folder_.empty(); }
  std::optional<std::string> read(std::string_view key) const;
  void write(std::string_view key, std::string_view content) const;
  std::filesystem::path path_of(std::string_view key) const;

 private:
  std::filesystem::path folder_;  // empty: none
};

}  // namespace emelex::cuda
