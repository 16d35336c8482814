#pragma once

#include <filesystem>
#include <string>

namespace emelex::cli {

// model_to_run, for commands that need no weights: a folder that has but a tokenizer or a chat template will do as
// well.
std::filesystem::path resolve_text_files(const std::string& name_or_path);

}  // namespace emelex::cli
