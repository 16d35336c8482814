#include "base/small_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

#include "base/expect_error.h"
#include "base/mapped_file.h"
#include "base/temporary_folder.h"

namespace emelex {
namespace {

TEST_CASE("A small file is read whole, up to its bound and not past it") {
  const TemporaryFolder folder;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{4097}, size_t{100'000}}) {
    CAPTURE(size);
    const std::string text(size, 'x');
    const auto path = folder.file("a", text);
    CHECK(read_small_file(path, {.most_bytes = size}) == text);
    if (size == 0) continue;
    expect_error(ErrorCode::unsupported, {"at most", "a"}, [&] { read_small_file(path, {.most_bytes = size - 1}); });
  }
}

TEST_CASE("Pipes, devices and folders are refused at once") {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  expect_error(ErrorCode::io, {"a pipe"}, [&] { read_small_file(pipe); });
  expect_error(ErrorCode::io, {"a pipe"}, [&] { read_text(pipe); });
  expect_error(ErrorCode::io, {"a folder"}, [&] { read_small_file(folder.path()); });
  expect_error(ErrorCode::io, {"a device"}, [&] { read_small_file("/dev/zero"); });
  expect_error(ErrorCode::not_found, {"none"}, [&] { read_small_file(folder.path() / "none"); });
}

TEST_CASE("Reading a small file can be cancelled") {
  const TemporaryFolder folder;
  const std::atomic<bool> cancel{true};
  expect_error(ErrorCode::cancelled, {}, [&] { read_small_file(folder.file("a", "x"), {.cancel = &cancel}); });
}

TEST_CASE("A text that is read does not follow the file any more") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", "hello");
  const std::string text = read_text(path);
  std::filesystem::resize_file(path, 0);
  CHECK(text == "hello");
  expect_error(ErrorCode::corrupt_file, {"empty"}, [&] { read_text(path); });
}

}  // namespace
}  // namespace emelex
