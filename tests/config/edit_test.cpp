#include "config/configuration.h"
#include "config/temporary_home.h"
#include "emelex/error.h"

using namespace emelex;
namespace fs = std::filesystem;

namespace {

std::string after(const std::string& before, const std::string& name, const std::string& value) {
  const TemporaryHome home;
  const fs::path file = home.path() / "config.toml";
  home.write(file, before);
  write_setting(file, name, value);
  return home.read(file);
}

}  // namespace

TEST_CASE("a value is replaced where it stands, and all else stays") {
  CHECK(after("# ünïcode\ntop_p = 0.5 # why\nmodel = 'a' # ä\n", "top_p", "0.25") ==
        "# ünïcode\ntop_p = 0.25 # why\nmodel = 'a' # ä\n");
  CHECK(after("top_p=0.5", "top_p", ".25") == "top_p=0.25");
  CHECK(after("model = 'ü'# ü\ntop_p = 1", "model", "b\"c") == "model = \"b\\\"c\"# ü\ntop_p = 1");
  CHECK(after("model = '''a\nb''' # x\ntop_p = 1", "model", "c") == "model = \"c\" # x\ntop_p = 1");
  CHECK(after("auto_pull = false\r\ntop_k = 1\r\n", "auto_pull", "yes") == "auto_pull = true\r\ntop_k = 1\r\n");
}

TEST_CASE("a value that is not there yet is put at the end") {
  CHECK(after("# nothing", "memory_limit", "6gb") == "# nothing\nmemory_limit = \"6GB\"\n");
  CHECK(after("", "memory_limit", "0") == "memory_limit = 0\n");
  CHECK(after("top_p = 1\n", "models_dir", "~/m") == "top_p = 1\nmodels_dir = \"~/m\"\n");
}

TEST_CASE("a file is made where there is none, and a link to one elsewhere stays") {
  const TemporaryHome home;
  write_setting(settings_file(), "threads", "3");
  CHECK(home.read(settings_file()) == "threads = 3\n");
  home.write(home.path() / "dotfiles" / "real.toml", "threads = 1\n");
  fs::remove(settings_file());
  fs::create_symlink(home.path() / "dotfiles" / "real.toml", settings_file());
  write_setting(settings_file(), "threads", "4");
  CHECK(home.read(home.path() / "dotfiles" / "real.toml") == "threads = 4\n");
  CHECK(fs::is_symlink(settings_file()));
}

TEST_CASE("what is wrong changes nothing") {
  const TemporaryHome home;
  const fs::path file = home.path() / "config.toml";
  home.write(file, "threads = 1\n");
  CHECK_THROWS_WITH_AS(write_setting(file, "treads", "1"), doctest::Contains("did you mean threads"), Error);
  CHECK_THROWS_WITH_AS(write_setting(file, "threads", "x"), doctest::Contains("[config] threads: expected"), Error);
  CHECK(home.read(file) == "threads = 1\n");
  home.write(file, "threads = \n");
  CHECK_THROWS_WITH_AS(write_setting(file, "top_p", "1"), doctest::Contains("config.toml:1"), Error);
  CHECK(home.read(file) == "threads = \n");
}
