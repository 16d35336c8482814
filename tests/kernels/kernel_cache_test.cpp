#include "kernels/cuda/kernel_cache.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/temporary_folder.h"

using namespace emelex;
using emelex::cuda::KernelCache;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

}  // namespace

TEST_CASE("a compiled kernel is found again by what it was compiled from, in a folder that is its user's alone") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "emelex/kernels";
  const std::string cubin("\0code\n", 6);
  {
    const KernelCache cache(path);
    CHECK(cache.usable());
    CHECK_FALSE(cache.read("text"));
    cache.write("text", cubin);
  }
  CHECK(mode_of(path) == 0700);
  const KernelCache cache(path);
  CHECK(cache.read("text") == cubin);
  CHECK_FALSE(cache.read("other text"));
}

TEST_CASE("a folder that others may enter, or a link to one, is not used for code") {
  const TemporaryFolder folder;
  const auto open = folder.path() / "open";
  std::filesystem::create_directory(open);
  for (const mode_t mode : {0755U, 0770U, 0701U}) {
    REQUIRE(chmod(open.c_str(), mode) == 0);
    const KernelCache cache(open);
    CHECK_FALSE(cache.usable());
    cache.write("text", "code");
    CHECK_FALSE(cache.read("text"));
    CHECK(std::filesystem::is_empty(open));
  }
  REQUIRE(chmod(open.c_str(), 0700) == 0);
  CHECK(KernelCache(open).usable());
  std::filesystem::create_directory_symlink(open, folder.path() / "link");
  CHECK_FALSE(KernelCache(folder.path() / "link").usable());
}

TEST_CASE("a cached kernel that was changed, cut off or renamed is not used") {
  const TemporaryFolder folder;
  const KernelCache cache(folder.path() / "kernels");
  cache.write("text", "the code");
  const auto path = cache.path_of("text");
  std::string good;
  std::getline(std::ifstream(path, std::ios::binary), good, '\0');
  const auto put = [&](const std::string& content) { std::ofstream(path, std::ios::binary) << content; };
  for (size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    put(bad);
    CHECK_FALSE(cache.read("text"));
    put(good.substr(0, i));
    CHECK_FALSE(cache.read("text"));
  }
  put(good);
  CHECK(cache.read("text") == "the code");
  std::filesystem::rename(path, cache.path_of("other text"));
  CHECK_FALSE(cache.read("other text"));
}
