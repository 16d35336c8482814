#pragma once

#include <filesystem>
#include <vector>

#include "weights/key_state.h"

namespace emelex {

// What becomes of the keys of a model's metadata that begin with its architecture's name; of a folder, of those of its
// config.json. The model is built for it, but nothing of the weights is read. Throws what opening and building throw.
std::vector<KeyState> keys_of_model(const std::filesystem::path& path);

// "used", "no effect", "refused", "unknown"
const char* key_use_text(KeyUse use);

}  // namespace emelex
