#include "kernels/cuda/kernel_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/strings.h"

namespace emelex::cuda {
namespace {

namespace fs = std::filesystem;

__extension__ using Uint128 = unsigned __int128;

// FNV-1a of 128 bits (Fowler, Noll, Vo; RFC 9923), which finds what a disk or a cut-off write has spoilt. It is no
// defence against others who may write the file: the folder's mode is.
std::string hash_of(std::string_view bytes) {
  constexpr Uint128 kPrime = (static_cast<Uint128>(1) << 88) + 0x13B;
  Uint128 hash = (static_cast<Uint128>(0x6C62272E07BB0142ULL) << 64) + 0x62B821756295C58DULL;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= kPrime;
  }
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(hash >> 64),
                static_cast<unsigned long long>(hash));
  return text;
}

fs::path default_folder() {
  if (const char* given = std::getenv("EMELEX_KERNEL_CACHE"); given != nullptr) return given;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return fs::path(cache) / "emelex/kernels";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return fs::path(home) / ".cache/emelex/kernels";
  }
  return {};
}

bool is_own(const fs::path& folder) {
  struct stat status {};
  return lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
         (status.st_mode & 077) == 0;
}

}  // namespace

KernelCache::KernelCache() : KernelCache(default_folder()) {}

KernelCache::KernelCache(const fs::path& folder) {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  mkdir(folder.c_str(), 0700);
  if (is_own(folder)) folder_ = folder;
}

fs::path KernelCache::path_of(std::string_view key) const { return folder_ / (hash_of(key) + ".cubin"); }

std::optional<std::string> KernelCache::read(std::string_view key) const {
  if (!usable()) return std::nullopt;
  std::ifstream file(path_of(key), std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  const std::string all = text.str();
  const std::string start = hash_of(key) + "\n";
  constexpr size_t kHashChars = 33;  // with its line's end
  if (all.size() < start.size() + kHashChars || all.compare(0, start.size(), start) != 0) return std::nullopt;
  std::string content = all.substr(start.size() + kHashChars);
  if (all.compare(start.size(), kHashChars, hash_of(content) + "\n") != 0) return std::nullopt;
  return content;
}

void KernelCache::write(std::string_view key, std::string_view content) const {
  if (!usable()) return;
  const fs::path path = path_of(key);
  const fs::path part = str_cat(path.string(), ".", getpid(), ".part");
  std::error_code error;
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file << hash_of(key) << "\n" << hash_of(content) << "\n" << content;
    if (!file.flush()) {
      fs::remove(part, error);
      return;
    }
  }
  fs::rename(part, path, error);
}

}  // namespace emelex::cuda
