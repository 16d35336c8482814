#include "base/durable_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "base/expect_error.h"
#include "base/temporary_folder.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int mode_of(const fs::path& file) {
  struct stat status {};
  REQUIRE(::lstat(file.c_str(), &status) == 0);
  return static_cast<int>(status.st_mode & 0777U);
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

TEST_CASE("A file is there once it is committed, and nothing is left of one that is not") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  {
    DurableFile file(path);
    file.write("half");
    CHECK(!fs::exists(path));
    CHECK(names_in(folder.path()).size() == 1);
  }
  CHECK(names_in(folder.path()).empty());
  DurableFile file(path);
  file.write("whole");
  file.commit();
  CHECK(content(path) == "whole");
  CHECK(names_in(folder.path()) == std::set<std::string>{"a"});
}

TEST_CASE("Only a regular file is replaced") {
  const TemporaryFolder folder;
  const fs::path target = folder.file("target", "precious");
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("target", folder.path() / "link");
  fs::create_symlink("nowhere", folder.path() / "broken");
  fs::create_directory(folder.path() / "sub");
  for (const char* name : {"pipe", "link", "broken", "sub"}) {
    CAPTURE(name);
    expect_error(ErrorCode::invalid_argument, {"expected a regular file", name},
                 [&] { DurableFile(folder.path() / name).commit(); });
  }
  CHECK(content(target) == "precious");
  CHECK(names_in(folder.path()) == std::set<std::string>{"broken", "link", "pipe", "sub", "target"});
}

TEST_CASE("What became a pipe while a file was written is not replaced either") {
  const TemporaryFolder folder;
  DurableFile file(folder.path() / "a");
  REQUIRE(::mkfifo((folder.path() / "a").c_str(), 0600) == 0);
  expect_error(ErrorCode::invalid_argument, {"a pipe"}, [&] { file.commit(); });
  CHECK(fs::is_fifo(folder.path() / "a"));
}

TEST_CASE("Without leave to replace, a file that is there or appears meanwhile stays") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  DurableFile first(path, {.replace = false});
  DurableFile second(path, {.replace = false});
  first.write("first");
  second.write("second");
  first.commit();
  expect_error(ErrorCode::invalid_argument, {"free", "'a'"}, [&] {
    try {
      second.commit();
    } catch (const Error& error) {
      throw Error(error.code(), std::string(error.what()) + " 'a'");
    }
  });
  expect_error(ErrorCode::invalid_argument, {"free"}, [&] { DurableFile(path, {.replace = false}); });
  CHECK(content(path) == "first");
}

TEST_CASE("A replaced file hands its mode on, and a new one's is as asked for") {
  const TemporaryFolder folder;
  const fs::path path = folder.file("a", "x");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  DurableFile kept(path);
  kept.commit();
  CHECK(mode_of(path) == 0600);
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  DurableFile secret(path, {.mode = 0600, .keep_mode = false});
  secret.commit();
  CHECK(mode_of(path) == 0600);
  const mode_t mask = ::umask(0);
  DurableFile open(folder.path() / "b");
  open.commit();
  ::umask(mask);
  CHECK(mode_of(folder.path() / "b") == 0644);
}

TEST_CASE("Temporary names differ each time and are told from others") {
  const fs::path file = "/f/model.gguf";
  CHECK(temporary_name(file) != temporary_name(file));
  CHECK(temporary_name(file).parent_path() == "/f");
  const std::string name = temporary_name(file).filename().string();
  CHECK(is_temporary_name(name));
  CHECK(is_temporary_name(name, "model.gguf"));
  CHECK(!is_temporary_name(name, "other.gguf"));
  for (const char* other : {".x.part", ".part", "model.gguf.0123456789abcdef.part", ".model.gguf.12.part",
                            ".model.gguf.0123456789abcdeF.part", ".model.gguf.0123456789abcdef.part2", ""}) {
    CHECK(!is_temporary_name(other));
  }
}

TEST_CASE("What a signal handler calls removes the temporary files that there are") {
  const TemporaryFolder folder;
  DurableFile one(folder.path() / "a");
  DurableFile two(folder.path() / "b");
  remove_temporary_files();
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("A regular file is opened for reading, and nothing else") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  CHECK(open_regular_file(folder.file("a", "x")).get() >= 0);
  expect_error(ErrorCode::io, {"a pipe"}, [&] { open_regular_file(folder.path() / "pipe"); });
  expect_error(ErrorCode::io, {"a folder"}, [&] { open_regular_file(folder.path()); });
  expect_error(ErrorCode::not_found, {"none"}, [&] { open_regular_file(folder.path() / "none"); });
}

}  // namespace
}  // namespace emelex
