#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "weights/tiny_gguf.h"
#include "weights/weights.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

TEST_CASE("A GGUF file is opened by its content, whatever it is called") {
  const TemporaryFolder folder;
  const auto weights = open_weights(folder.file("model.bin", complete_gguf()));
  CHECK(weights->path() == folder.path() / "model.bin");
  CHECK(weights->metadata().source() == (folder.path() / "model.bin").string());
  CHECK(weights->tensors().size() == 6);
}

TEST_CASE("A tensor stays readable when the weights are gone and the file was removed") {
  const TemporaryFolder folder;
  const fs::path path = folder.file("model.gguf", complete_gguf());
  const Tensor tensor = *open_weights(path)->find("f32");
  fs::remove(path);
  CHECK(tensor.data.size() == 256);
  CHECK(tensor.data.back() == std::byte{0x40});  // of 3.875
}

TEST_CASE("What is no model file is an error that says what it is instead") {
  const TemporaryFolder folder;
  const auto open = [](const fs::path& path) { return [path] { (void)open_weights(path); }; };
  expect_error(ErrorCode::not_found, {"none.gguf"}, open(folder.path() / "none.gguf"));
  expect_error(ErrorCode::unsupported, {"folder", folder.path().string()}, open(folder.path()));
  expect_error(ErrorCode::corrupt_file, {"empty", "a.gguf"}, open(folder.file("a.gguf", "")));
  expect_error(ErrorCode::corrupt_file, {"'hello'", "b.gguf"}, open(folder.file("b.gguf", "hello")));
  expect_error(ErrorCode::unsupported, {"'hello'", "c.txt"}, open(folder.file("c.txt", "hello")));
  expect_error(ErrorCode::unsupported, {"SafeTensors"},
               open(folder.file("d", std::string("\x02\0\0\0\0\0\0\0{}", 10))));
  expect_error(ErrorCode::unsupported, {"PyTorch"}, open(folder.file("e", "PK\x03\x04....")));
  expect_error(ErrorCode::corrupt_file, {"Git LFS"},
               open(folder.file("f.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")));
  expect_error(ErrorCode::unsupported, {"older than GGUF"}, open(folder.file("g.bin", "tjgg\x03")));
}

TEST_CASE("A tensor is required with its exact shape") {
  const auto weights = read_bytes(complete_gguf());
  CHECK(&weights->require("f32", {4, 16}) == weights->find("f32"));
  CHECK(weights->find("none") == nullptr);
  expect_error(ErrorCode::corrupt_file, {"'f32'", "[16, 4]", "[4, 16]", "tiny.gguf"}, [&] {
    (void)weights->require("f32", {16, 4});
  });
  expect_error(ErrorCode::corrupt_file, {"'none'", "[1]", "no such tensor", "tiny.gguf"},
               [&] { (void)weights->require("none", {1}); });
}

}  // namespace
}  // namespace emelex
