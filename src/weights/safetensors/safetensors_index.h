#pragma once

#include <map>
#include <string>
#include <string_view>

namespace emelex {

// The name of each tensor → the name of the file that has it, which lies in the index's own folder.
using SafeTensorsIndex = std::map<std::string, std::string, std::less<>>;

// The text of model.safetensors.index.json. Throws Error(corrupt_file), naming `source`, for anything else; a name with
// which a file outside of the folder could be meant is something else.
SafeTensorsIndex read_safetensors_index(std::string_view text, const std::string& source);

}  // namespace emelex
