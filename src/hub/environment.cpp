#include "hub/environment.h"

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

std::filesystem::path hugging_face_home() {
  const std::string home = environment("HF_HOME");
  if (!home.empty()) return home;
  const std::string cache = environment("XDG_CACHE_HOME");
  const std::filesystem::path folder =
      cache.empty() ? std::filesystem::path(environment("HOME")) / ".cache" : std::filesystem::path(cache);
  return folder / "huggingface";
}

}  // namespace emelex
