#include "cli/text_files.h"

#include <algorithm>
#include <array>

#include "cli/model.h"
#include "emelex/error.h"
#include "emelex/hub.h"

namespace emelex::cli {
namespace {

bool has_text_files(const std::filesystem::path& folder) {
  static constexpr std::array<const char*, 6> kNames = {"tokenizer.json",      "tokenizer.model",
                                                        "tekken.json",         "tokenizer_config.json",
                                                        "chat_template.jinja", "chat_template.json"};
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* name) {
    std::error_code missing;
    return std::filesystem::exists(folder / name, missing);
  });
}

}  // namespace

std::filesystem::path resolve_text_files(const std::string& name_or_path, const Settings& settings) {
  try {
    return model_to_look_at(name_or_path, settings).path;
  } catch (const Error&) {
    if (!name_or_path.empty() && has_text_files(name_or_path)) return name_or_path;
    throw;
  }
}

}  // namespace emelex::cli
