#include "base/mapped_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

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
