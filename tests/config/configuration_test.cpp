#include "config/configuration.h"

#include "config/temporary_home.h"
#include "emelex/error.h"

using namespace emelex;

namespace {

std::string from(const Configuration& configuration, std::string_view name) {
  const SettingOrigin origin = configuration.origin(name);
  return std::string(to_string(origin.source)) + " " + origin.where;
}

}  // namespace

TEST_CASE("flags come before the environment, that before the file, and that before what is built in") {
  const TemporaryHome home;
  home.write(settings_file(), "# mine\ntop_p = 0.5\ntop_k = 5\ntemperature = 0.25\n");
  setenv("EMELEX_TOP_K", "6", 1);
  setenv("EMELEX_TEMPERATURE", "0.5", 1);
  const Configuration all = read_configuration({{"temperature", "0.75"}});
  CHECK(all.settings.sampling.temperature == 0.75F);
  CHECK(all.settings.sampling.top_k == 6);
  CHECK(all.settings.sampling.top_p == 0.5F);
  CHECK(all.settings.sampling.min_p == Settings().sampling.min_p);
  CHECK(from(all, "temperature") == "flag --temperature");
  CHECK(from(all, "top_k") == "environment EMELEX_TOP_K");
  CHECK(from(all, "top_p") == "file " + settings_file().string() + ":2");
  CHECK(from(all, "min_p") == "default ");
}

TEST_CASE("the file lies where the system keeps such files, or where EMELEX_CONFIG says") {
  const TemporaryHome home;
#ifdef __APPLE__
  CHECK(settings_file() == home.path() / "Library" / "Application Support" / "OpenAgents" / "emelex" / "config.toml");
#else
  CHECK(settings_file() == home.path() / ".config" / "OpenAgents" / "emelex" / "config.toml");
  setenv("XDG_CONFIG_HOME", "relative", 1);
  CHECK(settings_file() == home.path() / ".config" / "OpenAgents" / "emelex" / "config.toml");
  setenv("XDG_CONFIG_HOME", "/etc/mine", 1);
  CHECK(settings_file() == "/etc/mine/OpenAgents/emelex/config.toml");
#endif
  setenv("EMELEX_CONFIG", (home.path() / "other.toml").c_str(), 1);
  CHECK_THROWS_WITH_AS(read_configuration(), doctest::Contains("other.toml"), Error);  // a typo is not passed over
  home.write(home.path() / "other.toml", "threads = 3");
  CHECK(read_configuration().settings.threads == 3);
}

TEST_CASE("without a home and without a file there are built-in values") {
  const TemporaryHome home;
  CHECK(read_configuration().origins.empty());
  unsetenv("HOME");
  CHECK(settings_file().empty());
  CHECK(read_configuration().origins.empty());
}

TEST_CASE("a wrong value is an error that names its place") {
  const TemporaryHome home;
  setenv("EMELEX_TOP_P", "2", 1);
  CHECK_THROWS_WITH_AS(read_configuration(), "[config] EMELEX_TOP_P: expected a number above 0 to 1, got '2'", Error);
  setenv("EMELEX_TOP_P", "", 1);  // as if it were not set
  CHECK_THROWS_WITH_AS(read_configuration({{"device", "x"}}), "[config] --device: expected auto, cpu or gpu, got 'x'",
                       Error);
}

TEST_CASE("a folder begins at the home, or where the file lies") {
  const TemporaryHome home;
  home.write(settings_file(), "models_dir = '~/big/models'");
  CHECK(read_configuration().settings.models_dir == home.path() / "big" / "models");
  home.write(settings_file(), "models_dir = '../models'");
  CHECK(read_configuration().settings.models_dir == settings_file().parent_path().parent_path() / "models");
  setenv("EMELEX_MODELS_DIR", "/data", 1);
  CHECK(read_configuration().settings.models_dir == "/data");
}
