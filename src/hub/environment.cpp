#include "hub/environment.h"

#include <cstdlib>

#include "hub/names.h"

namespace emelex {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool environment_says_yes(const char* name) {
  const std::string value = to_lower(environment(name));
  return value == "1" || value == "on" || value == "yes" || value == "true";
}

std::filesystem::path hugging_face_home() {
  const std::string home = environment("HF_HOME");
  if (!home.empty()) return home;
  const std::string cache = environment("XDG_CACHE_HOME");
  const std::filesystem::path folder =
      cache.empty() ? std::filesystem::path(environment("HOME")) / ".cache" : std::filesystem::path(cache);
  return folder / "huggingface";
}

}  // namespace emelex
