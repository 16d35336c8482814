#include "config/setting_keys.h"

#include <doctest/doctest.h>

#include "emelex/error.h"

using namespace emelex;

namespace {

std::string after_setting(std::string_view name, const std::string& text) {
  Settings settings;
  set_setting(find_setting(name), text, settings);
  return setting_text(find_setting(name), settings);
}

std::string problem(std::string_view name, const std::string& text) {
  try {
    return "none: " + after_setting(name, text);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
}

}  // namespace

TEST_CASE("what is built in is a value that may be set") {
  const Settings built_in;
  for (const SettingKey& key : setting_keys()) {
    const std::string text = setting_text(key, built_in);
    INFO(key.name);
    if (!text.empty()) CHECK(after_setting(key.name, text) == text);
  }
}

TEST_CASE("flags and variables are named after the setting") {
  CHECK(flag_name(find_setting("top_p")) == "--top-p");
  CHECK(environment_name(find_setting("top_p")) == "EMELEX_TOP_P");
}

TEST_CASE("an unknown setting is refused with those like it") {
  CHECK_THROWS_WITH_AS(find_setting("temprature"), doctest::Contains("'temprature'; did you mean temperature?"), Error);
  CHECK_THROWS_WITH_AS(find_setting("xyzzy"), doctest::Contains("emelex config"), Error);
  CHECK_THROWS_WITH_AS(find_setting("a\nb"), doctest::Contains("'a\\x0ab'"), Error);
}

TEST_CASE("numbers are whole texts within their range") {
  CHECK(after_setting("temperature", "0.1") == "0.1");
  CHECK(after_setting("temperature", "1e-2") == "0.01");
  CHECK(after_setting("min_p", "0.333333") == "0.333333");
  CHECK(problem("top_p", "0") == "expected a number above 0 to 1, got '0'");
  CHECK(problem("temperature", "101") == "expected a number from 0 to 100, got '101'");
  CHECK(problem("context", "-1") == "expected a number from 0 up, got '-1'");
  CHECK(problem("context", "1.5") == "expected a whole number, got '1.5'");
  for (const char* text : {"", " ", "x", "1x", "1 2", "nan", "inf", "1e999", "0,5"}) {
    INFO(text);
    CHECK(problem("temperature", text).starts_with("expected a number"));
    CHECK(problem("threads", text).starts_with("expected a"));
  }
}

TEST_CASE("sizes have units") {
  const auto bytes = [](const std::string& text) {
    Settings settings;
    set_setting(find_setting("memory_limit"), text, settings);
    return settings.memory_limit.bytes;
  };
  CHECK(bytes("6GB") == 6'000'000'000);
  CHECK(bytes("6g") == 6'000'000'000);
  CHECK(bytes("1.5 GiB") == (int64_t{3} << 29));
  CHECK(bytes("512MiB") == (int64_t{512} << 20));
  CHECK(bytes("7kB") == 7000);
  CHECK(bytes("2TB") == 2'000'000'000'000);
  CHECK(bytes("123") == 123);
  CHECK(bytes("123b") == 123);
  CHECK(bytes("0") == 0);
  CHECK(after_setting("memory_limit", "6000000000") == "6GB");
  CHECK(after_setting("memory_limit", "1073741824") == "1GiB");
  CHECK(after_setting("memory_limit", "1500MB") == "1500MB");
  CHECK(after_setting("memory_limit", "1234") == "1234");
  for (const char* text : {"", "GB", "-1GB", "1PB", "1e30", "6GBB", "6 G B", "nan", "infGB"}) {
    INFO(text);
    CHECK(problem("memory_limit", text).starts_with("expected a size such as '6GB'"));
  }
}

TEST_CASE("texts with choices are one of them, quantizations look like one") {
  CHECK(after_setting("kv_type", "q8_0") == "q8_0");
  CHECK(problem("device", "tpu") == "expected auto, cpu or gpu, got 'tpu'");
  CHECK(after_setting("quantization", "Q5_K_M") == "q5_k_m");
  CHECK(problem("quantization", "small") == "expected a quantization such as q4_k_m, got 'small'");
}

TEST_CASE("yes and no have several words") {
  CHECK(after_setting("auto_pull", "1") == "true");
  CHECK(after_setting("auto_pull", "ON") == "true");
  CHECK(after_setting("auto_pull", "No") == "false");
  CHECK(problem("auto_pull", "perhaps") == "expected true or false, got 'perhaps'");
}
