#pragma once

#include <filesystem>
#include <string>

#include "emelex/hub.h"

namespace emelex::cli {

// The model to load for what a user typed; it is not removed while this process lives. One that is not here and could
// be pulled is offered in a terminal, and pulled without a question where EMELEX_AUTO_PULL says so (1).
std::filesystem::path model_to_run(const std::string& name_or_path);

// Pulls a model and shows how far it is, on stderr.
InstalledModel pull_model(const std::string& what, PullOptions options);

}  // namespace emelex::cli
