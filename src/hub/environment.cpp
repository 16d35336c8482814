#include "hub/environment.h"

#include <algorithm>
#include <cstdlib>

#include "hub/names.h"

namespace emelex {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<bool> yes_or_no(std::string_view text) {
  const std::string lower = to_lower(text);
  if (lower == "1" || lower == "on" || lower == "yes" || lower == "true") return true;
  if (lower == "0" || lower == "off" || lower == "no" || lower == "false") return false;
  return {};
}

bool environment_says_yes(const char* name) { return yes_or_no(environment(name)).value_or(false); }

namespace {

std::filesystem::path absolute_path(const std::string& text) {
  std::error_code error;
  return text.empty() ? std::filesystem::path() : std::filesystem::absolute(text, error);
}

}  // namespace

std::filesystem::path home_folder() { return absolute_path(environment("HOME")); }

std::filesystem::path path_from_environment(const char* name) {
  const std::string text = environment(name);
  if (text != "~" && !text.starts_with("~/")) return absolute_path(text);
  const std::filesystem::path home = home_folder();
  return home.empty() ? home : home / text.substr(std::min<size_t>(2, text.size()));
}

std::filesystem::path hugging_face_home() {
  const std::filesystem::path chosen = path_from_environment("HF_HOME");
  if (!chosen.empty()) return chosen;
  // The XDG specification says that a relative path is to be ignored.
  const std::filesystem::path cache = environment("XDG_CACHE_HOME");
  if (cache.is_absolute()) return cache / "huggingface";
  const std::filesystem::path home = home_folder();
  return home.empty() ? home : home / ".cache" / "huggingface";
}

}  // namespace emelex
