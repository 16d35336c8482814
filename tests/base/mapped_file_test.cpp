#include "base/mapped_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/expect_error.h"
#include "base/temporary_folder.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

TEST_CASE("A mapped file has the file's bytes, also after the file was removed") {
  const TemporaryFolder folder;
  const fs::path path = folder.file("a.bin", "hello");
  const auto file = MappedFile::open(path);
  fs::remove(path);
  CHECK(file->path() == path);
  CHECK(std::string_view(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()) == "hello");
}

TEST_CASE("Released bytes of a mapped file stay what they are, wherever they begin and end") {
  const TemporaryFolder folder;
  std::string content;
  for (int i = 0; i < 100000; ++i) content += static_cast<char>(i * 7 % 251);
  const auto file = MappedFile::open(folder.file("a.bin", content));
  const auto bytes = file->bytes();
  for (const size_t begin : {size_t{0}, size_t{1}, size_t{4096}, size_t{50000}}) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{20000}, bytes.size() - begin}) {
      release_mapped(bytes.subspan(begin, size));
      CHECK(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == content);
    }
  }
}

TEST_CASE("Only a mapped file's bytes are released") {
  const TemporaryFolder folder;
  const auto file = MappedFile::open(folder.file("a.bin", "hello"));
  std::vector<std::byte> own(100000, std::byte{1});
  release_mapped(own);
  release_mapped({});
  CHECK(own == std::vector<std::byte>(100000, std::byte{1}));
}

TEST_CASE("What can't be mapped is an error that says why, and names the file") {
  const TemporaryFolder folder;
  const auto open = [](const fs::path& path) { return [path] { (void)MappedFile::open(path); }; };
  expect_error(ErrorCode::not_found, {"none.bin"}, open(folder.path() / "none.bin"));
  expect_error(ErrorCode::not_found, {"below"}, open(folder.file("file", "x") / "below"));
  expect_error(ErrorCode::io, {"folder", folder.path().string()}, open(folder.path()));
  expect_error(ErrorCode::corrupt_file, {"empty", "void.bin"}, open(folder.file("void.bin", "")));
  expect_error(ErrorCode::not_found, {}, open(""));
}

TEST_CASE("A pipe is refused at once, without waiting for a writer") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  expect_error(ErrorCode::io, {"pipe"}, [&] { (void)MappedFile::open(path); });
}

TEST_CASE("A file that may not be read is an error of the operating system") {
  if (geteuid() == 0) return;  // root may read anything
  const TemporaryFolder folder;
  const fs::path path = folder.file("secret", "x");
  fs::permissions(path, fs::perms::none);
  expect_error(ErrorCode::io, {"secret"}, [&] { (void)MappedFile::open(path); });
}

TEST_CASE("A file name with a line break does not break the message's line") {
  expect_error(ErrorCode::not_found, {"a?b"}, [] { (void)MappedFile::open("/none/a\nb"); });
}

}  // namespace
}  // namespace emelex
