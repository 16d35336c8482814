#pragma once

#include <filesystem>
#include <string>

#include "config/settings.h"

namespace emelex::cli {

// model_to_look_at, for commands that need no weights: a folder that has but a tokenizer or a chat template will do as
// well.
std::filesystem::path resolve_text_files(const std::string& name_or_path, const Settings& settings);

}  // namespace emelex::cli
