#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "weights/split_gguf.h"
#include "weights/tiny_gguf.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

void check_same(const Weights& split, const Weights& whole) {
  CHECK((split.metadata().values() == whole.metadata().values()));
  REQUIRE(split.tensors().size() == whole.tensors().size());
  for (const auto& [name, tensor] : whole.tensors()) {
    const Tensor& other = split.require(name, tensor.shape);
    CHECK(other.type == tensor.type);
    CHECK(std::ranges::equal(other.data, tensor.data));
  }
}

// A model in three parts, of which tests spoil one. Each part has the one tensor "t<no>".
class ThreeParts {
 public:
  ThreeParts() {
    for (int no = 0; no < 3; ++no) write(no, split_part(no, 3, 3));
  }

  // Writes a part anew, with its tensor added.
  void write(int no, GgufWriter part) const {
    if (no == 0) part.add("general.name", "three parts");
    add_tensor(part, "t" + std::to_string(no));
    part.write(path(no));
  }
  static void add_tensor(GgufWriter& part, const std::string& name) {
    part.add_tensor(name, TensorType::f32, {2}, std::vector<float>{1, 2});
  }
  fs::path path(int no) const { return folder_.path() / split_name("model", no + 1, 3); }
  const TemporaryFolder& folder() const { return folder_; }

  // All parts lead to the same error.
  void expect(ErrorCode code, std::initializer_list<std::string_view> parts) const {
    for (int no = 0; no < 3; ++no) {
      if (fs::exists(path(no))) expect_error(code, parts, [&] { (void)open_weights(path(no)); });
    }
  }
  void expect_corrupt(std::initializer_list<std::string_view> parts) const { expect(ErrorCode::corrupt_file, parts); }

 private:
  TemporaryFolder folder_;
};

TEST_CASE("A model in several parts is opened by any of them, and is the same as in one file") {
  const TemporaryFolder folder;
  const auto whole = read_bytes(complete_gguf());
  for (const int count : {2, 3, 6, 9}) {  // 6 tensors: of nine parts some have none
    CAPTURE(count);
    const auto paths = write_split(*whole, folder.path(), "a-00001-of-00002", count);
    for (const fs::path& path : paths) {
      const auto split = open_weights(path);
      check_same(*split, *whole);
      CHECK(split->path() == paths[0]);
      CHECK(split->files() == paths);
      CHECK(split->metadata().source() == paths[0].string());
    }
  }
}

TEST_CASE("The demo model in three parts has the same tensors as in one") {
  const char* model = std::getenv("EMELEX_TEST_MODEL");
  if (model == nullptr || !fs::exists(model)) {
    MESSAGE("skipped: there is no demo model; scripts/fetch-demo-model gets it");
    return;
  }
  const TemporaryFolder folder;
  const auto whole = open_weights(model);
  REQUIRE(whole->tensors().size() > 200);
  check_same(*open_weights(write_split(*whole, folder.path(), "demo", 3)[1]), *whole);
}

TEST_CASE("Parts are found beside the one that was named, also by a relative path") {
  const ThreeParts model;
  const fs::path here = fs::current_path();
  fs::current_path(model.folder().path());
  const auto weights = open_weights(model.path(1).filename());
  fs::current_path(here);
  CHECK(weights->path() == model.path(0).filename());
  CHECK(weights->tensors().size() == 3);
}

TEST_CASE("Each part keeps its own file mapped") {
  const ThreeParts model;
  const Tensor last = *open_weights(model.path(0))->find("t2");
  fs::remove(model.path(2));
  CHECK(last.data.size() == 8);
  CHECK(last.data[3] == std::byte{0x3F});  // of 1.0F
}

TEST_CASE("A single file may say that it is one of one") {
  const TemporaryFolder folder;
  for (const int count : {0, 1}) {
    split_part(0, count, 0).write(folder.path() / "any name.gguf");
    CHECK(open_weights(folder.path() / "any name.gguf")->files().size() == 1);
  }
  GgufWriter().write(folder.path() / "model-00001-of-00003.gguf");
  CHECK(open_weights(folder.path() / "model-00001-of-00003.gguf")->tensors().empty());
}

TEST_CASE("A part that is missing is named") {
  const ThreeParts model;
  fs::remove(model.path(1));
  model.expect(ErrorCode::not_found, {"part 2 of 3", "'model-00002-of-00003.gguf'", "download it too"});
  fs::remove(model.path(0));
  model.expect(ErrorCode::not_found, {"'model-00001-of-00003.gguf'", "model-00003-of-00003.gguf"});
}

TEST_CASE("A part that can't be read is an error that names it") {
  const ThreeParts model;
  const std::string name = model.path(1).filename().string();
  const auto spoil = [&](std::string_view content) { model.folder().file(name, content); };
  spoil("");
  expect_error(ErrorCode::corrupt_file, {"empty", name}, [&] { (void)open_weights(model.path(0)); });
  spoil("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
  expect_error(ErrorCode::corrupt_file, {"Git LFS", name}, [&] { (void)open_weights(model.path(0)); });
  spoil("GGUF\x03");
  expect_error(ErrorCode::corrupt_file, {"the version", name}, [&] { (void)open_weights(model.path(2)); });
  fs::remove(model.path(1));
  fs::create_directory(model.path(1));
  expect_error(ErrorCode::io, {"folder", name}, [&] { (void)open_weights(model.path(0)); });
  fs::remove(model.path(1));
  fs::create_symlink(name, model.path(1));  // to itself
  expect_error(ErrorCode::io, {name}, [&] { (void)open_weights(model.path(0)); });
}

TEST_CASE("A part under another name than its numbers is refused") {
  const ThreeParts model;
  const fs::path renamed = model.folder().path() / "renamed.gguf";
  fs::copy_file(model.path(1), renamed);
  expect_error(ErrorCode::corrupt_file, {"'-00002-of-00003.gguf'", "part 2 of 3", "'renamed.gguf'"},
               [&] { (void)open_weights(renamed); });
  fs::copy_file(model.path(0), model.path(1), fs::copy_options::overwrite_existing);
  expect_error(ErrorCode::corrupt_file, {"part 2 of 3 (split.no 1", "split.no 0", "00002-of-00003.gguf"},
               [&] { (void)open_weights(model.path(0)); });
  expect_error(ErrorCode::corrupt_file, {"'-00001-of-00003.gguf'", "'model-00002-of-00003.gguf'"},
               [&] { (void)open_weights(model.path(1)); });
}

TEST_CASE("A part's numbers are within bounds, and there") {
  const ThreeParts model;
  const fs::path& path = model.path(0);
  const auto expect_first = [&](const GgufWriter& part, std::initializer_list<std::string_view> parts) {
    model.write(0, part);
    expect_error(ErrorCode::corrupt_file, parts, [&] { (void)open_weights(path); });
  };
  expect_first(split_part(3, 3, 3), {"'split.no'", "from 0 to 2", "got 3", "00001-of-00003.gguf"});
  expect_first(split_part(0, 3, -1), {"'split.tensors.count'", "got -1"});
  expect_first(split_part(0, 2, 3), {"'-00001-of-00002.gguf'", "'model-00001-of-00003.gguf'"});
  expect_first(split_part(0, 65535, 3), {"'split.count'", "to 1024", "got 65535"});
  GgufWriter negative;
  negative.add("split.count", int32_t{-3});
  expect_first(negative, {"'split.count'", "got -3"});
  GgufWriter text;
  text.add("split.count", "../../3");
  expect_first(text, {"'split.count'", "a string"});
  GgufWriter alone;
  alone.add("split.count", uint16_t{3});
  expect_first(alone, {"'split.no'", "no such key"});
  alone.add("split.no", uint16_t{0});
  expect_first(alone, {"'split.tensors.count'", "no such key"});
}

TEST_CASE("All parts together have the tensors that they promise") {
  const ThreeParts model;
  for (const int n_tensors : {0, 2, 4}) {
    for (int no = 0; no < 3; ++no) model.write(no, split_part(no, 3, n_tensors));
    model.expect_corrupt({std::to_string(n_tensors) + " tensors", "split.tensors.count", "got 3", "00001-of-00003"});
  }
}

TEST_CASE("A tensor in two parts is refused") {
  const ThreeParts model;
  GgufWriter part = split_part(2, 3, 3);
  ThreeParts::add_tensor(part, "t0");
  model.write(2, part);
  model.expect_corrupt({"'t0' once more", "00003-of-00003.gguf"});
}

TEST_CASE("A part of another model is refused") {
  const ThreeParts model;
  model.write(1, split_part(1, 3, 17));
  model.expect_corrupt(
      {"'split.tensors.count'", "the same in model-00001-of-00003.gguf", "one model", "00002-of-00003"});
  GgufWriter other = split_part(1, 3, 3);
  other.add("general.name", "another");
  model.write(1, other);
  model.expect_corrupt({"'general.name'", "the same in model-00001-of-00003.gguf", "00002-of-00003.gguf"});
  GgufWriter whole;
  model.write(1, whole);
  expect_error(ErrorCode::corrupt_file, {"part 2 of 3", "a model of its own", "00002-of-00003.gguf"},
               [&] { (void)open_weights(model.path(0)); });
}

TEST_CASE("No key of a part makes another file be opened") {
  const ThreeParts model;
  GgufWriter part = split_part(0, 3, 3);
  part.add("split.prefix", "../outside");
  part.add("split.files", std::vector<std::string>{"/etc/passwd", "../outside-00002-of-00003.gguf"});
  model.write(0, part);
  CHECK(open_weights(model.path(0))->files() == std::vector{model.path(0), model.path(1), model.path(2)});
}

}  // namespace
}  // namespace emelex
