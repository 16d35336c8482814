#pragma once

#include <filesystem>
#include <string>

#include "config/settings.h"
#include "emelex/hub.h"

namespace emelex::cli {

// For --help, of an argument that names a model.
inline constexpr const char* kModelHelp =
    "A .gguf file, a folder of SafeTensors, or a name that 'emelex list' shows [the default model]";

// The registry where the settings say that models lie.
ModelRegistry open_registry(const Settings& settings);

// The model to load for what a user typed, or, for nothing, the default one: of the settings, else the registry's. It
// is not removed while this process lives, and counts as used now. One that is not here and could be pulled is offered
// in a terminal, and pulled without a question where the settings say so. Throws UsageError when there is no default.
std::filesystem::path model_to_run(const std::string& name_or_path, const Settings& settings);

// The same for commands that only look at its files: it does not count as used.
LocatedModel model_to_look_at(const std::string& name_or_path, const Settings& settings);

// The model that is meant where none is named; empty: there is none.
std::string default_model(const Settings& settings);

// Pulls a model and shows how far it is, on stderr.
InstalledModel pull_model(const std::string& what, PullOptions options, const Settings& settings);

}  // namespace emelex::cli
