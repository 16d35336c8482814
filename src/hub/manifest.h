#pragma once

#include <string>
#include <string_view>

#include "emelex/hub.h"

namespace emelex {

inline constexpr std::string_view kManifestName = "manifest.json";

// The text of a manifest.json.
std::string write_manifest(const InstalledModel& model);

// Reads what write_manifest wrote. `folder` is where it lies. Throws Error(corrupt_file), naming the key at fault, when
// the text is no such thing or a file's path leads out of the folder; invalid_argument when the folder has another
// name.
InstalledModel read_manifest(std::string_view text, const std::filesystem::path& folder);

}  // namespace emelex
