#include "config/settings_file.h"

#include <doctest/doctest.h>

#include "emelex/error.h"

using namespace emelex;

namespace {

std::string problem(const std::string& text) {
  try {
    parse_settings(text, "dir/config.toml");
    return "none";
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
}

}  // namespace

TEST_CASE("values of every TOML type are read with their line") {
  const auto settings = parse_settings(
      "# a comment\n"
      "model = 'smollm2'\n"
      "threads = 0x10\n"
      "top_p = 1   # a whole number is a number\n"
      "temperature = 2.5e-1\n"
      "\"auto_pull\" = true\n"
      "memory_limit = 4_000\n"
      "gpu_memory_limit = \"6GB\"\n",
      "config.toml");
  std::string text;
  for (const FileSetting& setting : settings) {
    text += std::string(setting.key->name) + "=" + setting.text + "@" + std::to_string(setting.begin.line) + " ";
  }
  CHECK(text ==
        "auto_pull=true@6 gpu_memory_limit=6GB@8 memory_limit=4000@7 model=smollm2@2 temperature=0.25@5 threads=16@3 "
        "top_p=1@4 ");
  CHECK(parse_settings("", "config.toml").empty());
}

TEST_CASE("what is wrong is said with file and line") {
  CHECK(problem("\n\ntemprature = 1\n") ==
        "[config] dir/config.toml:3: there is no setting 'temprature'; did you mean temperature?");
  CHECK(problem("[sampling]\ntop_p = 1\n").starts_with("[config] dir/config.toml:1: there is no setting 'sampling'"));
  CHECK(problem("threads = 'two'") == "[config] dir/config.toml:1: expected a whole number for threads, got a string");
  CHECK(problem("threads = 2.0") == "[config] dir/config.toml:1: expected a whole number for threads, got a number");
  CHECK(problem("top_p = '0.5'") == "[config] dir/config.toml:1: expected a number for top_p, got a string");
  CHECK(problem("auto_pull = 1") ==
        "[config] dir/config.toml:1: expected true or false for auto_pull, got a whole number");
  CHECK(problem("memory_limit = 1.5").ends_with("expected a size such as \"6GB\" for memory_limit, got a number"));
  CHECK(problem("model = ['a']").ends_with("expected a string for model, got a list"));
  CHECK(problem("model = 2026-01-31").ends_with("got a date or time"));
  CHECK(problem("model = 'a'\ntop_p = 2\n") ==
        "[config] dir/config.toml:2: top_p: expected a number above 0 to 1, got '2'");
  CHECK(problem("temperature = inf").ends_with("temperature: expected a number from 0 to 100, got 'inf'"));
  CHECK(problem("device = 'tpu'").ends_with("device: expected auto, cpu or gpu, got 'tpu'"));
}

TEST_CASE("what is no TOML is said with file and line") {
  CHECK(problem("model = 'a'\nthreads = \n").starts_with("[config] dir/config.toml:2: "));
  CHECK(problem("model = 'a'\nmodel = 'b'\n").starts_with("[config] dir/config.toml:2: "));
  CHECK(problem("model = 'a\n").starts_with("[config] dir/config.toml:1: "));
  CHECK(problem("\xff\xfe = 1").starts_with("[config] dir/config.toml:1: "));
}
