#include <doctest/doctest.h>
#include <stdlib.h>

#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "emelex/hub.h"
#include "hub/hash_file.h"
#include "hub/manifest.h"

using namespace emelex;
namespace fs = std::filesystem;

namespace {

// A folder of its own for each test, gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "emelex-hub-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write_file(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

std::string read_file(const fs::path& file) {
  std::stringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

template <class T>
void append(std::string* bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes->append(raw, sizeof(T));
}

void append_text(std::string* bytes, const std::string& text) {
  append<uint64_t>(bytes, text.size());
  *bytes += text;
}

// The smallest GGUF file that is a model to the registry: an architecture, a context length and one tensor of 32
// floats.
std::string tiny_gguf(float value = 1.0F, const std::map<std::string, uint32_t>& more_keys = {},
                      const std::string& tensor = "output.weight") {
  constexpr uint32_t kUint32 = 4;
  constexpr uint32_t kString = 8;
  std::string bytes = "GGUF";
  append<uint32_t>(&bytes, 3);                     // version
  append<uint64_t>(&bytes, 1);                     // tensors
  append<uint64_t>(&bytes, 2 + more_keys.size());  // keys
  for (const auto& [key, number] : more_keys) {
    append_text(&bytes, key);
    append<uint32_t>(&bytes, kUint32);
    append<uint32_t>(&bytes, number);
  }
  append_text(&bytes, "general.architecture");
  append<uint32_t>(&bytes, kString);
  append_text(&bytes, "llama");
  append_text(&bytes, "llama.context_length");
  append<uint32_t>(&bytes, kUint32);
  append<uint32_t>(&bytes, 2048);
  append_text(&bytes, tensor);
  append<uint32_t>(&bytes, 1);   // dimensions
  append<uint64_t>(&bytes, 32);  // values
  append<uint32_t>(&bytes, 0);   // F32
  append<uint64_t>(&bytes, 0);   // offset
  bytes.resize((bytes.size() + 31) / 32 * 32);
  for (int i = 0; i < 32; ++i) append(&bytes, value);
  return bytes;
}

// The same in three files "big-0000N-of-00003.gguf", with a tensor each. Returns their paths.
std::vector<fs::path> write_split(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (uint32_t no = 0; no < 3; ++no) {
    const std::map<std::string, uint32_t> keys = {{"split.no", no}, {"split.count", 3}, {"split.tensors.count", 3}};
    paths.push_back(folder / ("big-0000" + std::to_string(no + 1) + "-of-00003.gguf"));
    write_file(paths.back(), tiny_gguf(1.0F, keys, "t" + std::to_string(no)));
  }
  return paths;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an imported file is referenced where it lies, and found by its name") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "Tiny-Model.F32.gguf";
  write_file(file, tiny_gguf());
  const ModelRegistry registry(folder.path() / "models");
  CHECK(registry.list({}).empty());

  const InstalledModel model = registry.import_file(file, {});
  CHECK(model.name == "tiny-model:f32");
  CHECK(model.architecture == "llama");
  CHECK(model.quantization == "f32");
  CHECK(model.parameters == 32);
  CHECK(model.context_length == 2048);
  CHECK(model.size == static_cast<int64_t>(fs::file_size(file)));

  CHECK(registry.resolve("tiny-model:f32") == file);
  CHECK(registry.resolve("Tiny-Model:F32") == file);
  CHECK(registry.resolve(file.string()) == file);
  const auto listed = registry.list({});
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].name == model.name);
  CHECK(listed[0].files[0].sha256 == hash_file(file).sha256);
  CHECK(fs::exists(folder.path() / "models" / "tiny-model+f32" / "manifest.json"));
}

TEST_CASE("a copy does not need the original any more, nor its place") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a.gguf";
  write_file(file, tiny_gguf());
  ModelRegistry(folder.path() / "models").import_file(file, {"mine", true});
  fs::remove(file);
  fs::rename(folder.path() / "models", folder.path() / "moved");
  CHECK(read_file(ModelRegistry(folder.path() / "moved").resolve("mine")) == tiny_gguf());
  CHECK(std::distance(fs::directory_iterator(folder.path() / "moved" / "mine"), fs::directory_iterator()) == 2);
}

TEST_CASE("the same file may be imported again, another one not under its name") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a.gguf";
  write_file(file, tiny_gguf());
  write_file(folder.path() / "b.gguf", tiny_gguf(2.0F));
  const ModelRegistry registry(folder.path() / "models");
  registry.import_file(file, {"mine", false});
  CHECK_NOTHROW(registry.import_file(file, {"mine", false}));
  CHECK(contains(message_of([&] { registry.import_file(folder.path() / "b.gguf", {"mine", false}); }), "mine"));
  CHECK(registry.resolve("mine") == file);
}

TEST_CASE("a model in several files is imported with all of them, by any of them") {
  const TemporaryFolder folder;
  const std::vector<fs::path> parts = write_split(folder.path());
  const ModelRegistry registry(folder.path() / "models");
  const InstalledModel model = registry.import_file(parts[1], {});
  CHECK(model.name == "big:f32");
  CHECK(model.parameters == 96);
  CHECK(model.size == 3 * static_cast<int64_t>(fs::file_size(parts[0])));
  CHECK(registry.resolve("big:f32") == parts[0]);
  const auto files = registry.find("big:f32").files;
  REQUIRE(files.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(files[i].path == parts[i]);
    CHECK(files[i].sha256 == hash_file(parts[i]).sha256);
  }
  CHECK_NOTHROW(registry.import_file(parts[2], {}));  // the same model again
}

TEST_CASE("a copy of a model in several files has all of them") {
  const TemporaryFolder folder;
  const std::vector<fs::path> parts = write_split(folder.path());
  const ModelRegistry registry(folder.path() / "models");
  registry.import_file(parts[2], {"mine", true});
  for (const fs::path& part : parts) fs::remove(part);
  const fs::path copy = registry.resolve("mine");
  CHECK(copy == registry.root() / "mine" / "big-00001-of-00003.gguf");
  CHECK(registry.import_file(copy, {"again", false}).parameters == 96);
  CHECK_NOTHROW(registry.import_file(copy, {"mine", true}));  // onto itself
  CHECK(registry.find("mine").files[1].path == "big-00002-of-00003.gguf");
}

TEST_CASE("a model of which a file is missing is not imported") {
  const TemporaryFolder folder;
  const std::vector<fs::path> parts = write_split(folder.path());
  fs::remove(parts[1]);
  const ModelRegistry registry(folder.path() / "models");
  CHECK(contains(message_of([&] { registry.import_file(parts[0], {}); }), "'big-00002-of-00003.gguf'"));
  CHECK_FALSE(fs::exists(registry.root()));
}

TEST_CASE("what is no model is not imported and leaves nothing behind") {
  const TemporaryFolder folder;
  const ModelRegistry registry(folder.path() / "models");
  write_file(folder.path() / "text.gguf", "hello");
  write_file(folder.path() / "good.gguf", tiny_gguf());
  CHECK_THROWS_AS(registry.import_file(folder.path() / "text.gguf", {}), Error);
  CHECK_THROWS_AS(registry.import_file(folder.path() / "none.gguf", {}), Error);
  CHECK_THROWS_AS(registry.import_file(folder.path(), {}), Error);
  CHECK_THROWS_AS(registry.import_file(folder.path() / "good.gguf", {"../out", false}), Error);
  CHECK_FALSE(fs::exists(registry.root()));
}

TEST_CASE("damaged manifests are reported and skipped") {
  const TemporaryFolder folder;
  const fs::path root = folder.path() / "models";
  write_file(folder.path() / "a.gguf", tiny_gguf());
  const ModelRegistry registry(root);
  const InstalledModel model = registry.import_file(folder.path() / "a.gguf", {"good", false});
  const std::string manifest = read_file(root / "good" / "manifest.json");
  for (size_t cut : {size_t{0}, size_t{1}, manifest.size() / 2}) {
    write_file(root / ("cut" + std::to_string(cut)) / "manifest.json", manifest.substr(0, cut));
  }
  write_file(root / "array" / "manifest.json", "[]");
  write_file(root / "other" / "manifest.json", manifest);  // says "good"
  fs::create_directories(root / "unfinished");

  std::vector<std::string> warnings;
  const auto models = registry.list([&](const std::string& warning) { warnings.push_back(warning); });
  REQUIRE(models.size() == 1);
  CHECK(models[0].name == "good");
  CHECK(warnings.size() == 5);
  CHECK_NOTHROW(registry.import_file(folder.path() / "a.gguf", {"array", false}));  // repairs it
  CHECK(registry.list({}).size() == 2);
}

TEST_CASE("a manifest can't lead out of its folder by a relative path") {
  InstalledModel model;
  model.name = "a";
  model.path = "inside.gguf";
  model.files = {{"../../secret", 1, std::string(64, '0')}};
  CHECK_THROWS_AS(read_manifest(write_manifest(model), "/models/a"), Error);
  model.files[0].path = "inside.gguf";
  CHECK(read_manifest(write_manifest(model), "/models/a").files[0].path == "inside.gguf");
  model.files[0].sha256 = "x";
  CHECK_THROWS_AS(read_manifest(write_manifest(model), "/models/a"), Error);
  model.files[0].sha256 = std::string(64, '0');
  model.path = "../b";
  CHECK_THROWS_AS(read_manifest(write_manifest(model), "/models/a"), Error);
}

TEST_CASE("a folder with a configuration is a model") {
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  fs::create_directories(model);
  std::ofstream(model / "config.json") << "{}";
  CHECK(ModelRegistry(folder.path() / "models").resolve(model.string()) == model);
}

TEST_CASE("what can't be resolved is explained") {
  const TemporaryFolder folder;
  const ModelRegistry registry(folder.path() / "models");
  CHECK(contains(message_of([&] { registry.resolve("nothing"); }), "emelex import"));
  write_file(folder.path() / "a.gguf", tiny_gguf());
  registry.import_file(folder.path() / "a.gguf", {"mine:f32", false});
  CHECK(contains(message_of([&] { registry.resolve("mine"); }), "did you mean 'mine:f32'?"));
  CHECK(contains(message_of([&] { registry.resolve("./mine"); }), "No such file"));
  CHECK(contains(message_of([&] { registry.resolve(folder.path().string()); }), "a folder with config.json"));
  CHECK(contains(message_of([&] { registry.resolve("a\nb"); }), "'a?b'"));
  fs::remove(folder.path() / "a.gguf");
  CHECK(contains(message_of([&] { registry.resolve("mine:f32"); }), "not there any more"));
}

TEST_CASE("the environment says where models lie") {
  const char* known = getenv("EMELEX_MODELS_DIR");
  const std::string before = known == nullptr ? "" : known;
  setenv("EMELEX_MODELS_DIR", "/some/where", 1);
  CHECK(default_models_root() == "/some/where");
  setenv("EMELEX_MODELS_DIR", "", 1);
#ifndef __APPLE__
  setenv("XDG_DATA_HOME", "/data", 1);
  CHECK(default_models_root() == "/data/OpenAgents/models");
  setenv("XDG_DATA_HOME", "relative", 1);
  setenv("HOME", "/home/me", 1);
  CHECK(default_models_root() == "/home/me/.local/share/OpenAgents/models");
#endif
  setenv("EMELEX_MODELS_DIR", before.c_str(), 1);
}

TEST_CASE("a file's SHA-256 is the published one") {
  const TemporaryFolder folder;
  write_file(folder.path() / "abc", "abc");
  CHECK(hash_file(folder.path() / "abc").sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash_file(folder.path() / "abc").size == 3);
}
