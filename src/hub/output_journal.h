#pragma once

#include <filesystem>
#include <functional>
#include <memory>

namespace emelex {

// Which files are being written outside of the registry, so that what a killed process leaves beside them is found: a
// file for each in <root>/.outputs, locked while its writer lives.

// Puts down that `output` is being written for as long as what is returned lives. Where the root can't be written it is
// empty, and nothing is put down.
std::shared_ptr<const void> note_output(const std::filesystem::path& root, const std::filesystem::path& output);

// Calls `found` with each temporary file or folder of a writer that is no more, and forgets those writers.
void visit_left_outputs(const std::filesystem::path& root,
                        const std::function<void(const std::filesystem::path& left)>& found);

}  // namespace emelex
