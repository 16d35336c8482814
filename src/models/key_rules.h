#pragma once

#include <vector>

#include "weights/key_state.h"
#include "weights/weights.h"

// What becomes of a model's metadata keys. A model reads the keys that it computes with (ConfigKeys). Of the others,
// those that llama.cpp has a name for are in the table of key_rules.cpp: without effect, or allowed with the one value
// that says what is computed anyway, or refused. tests/differential/keys_check.py compares the table with llama.cpp's.
namespace emelex {

// The state of each key of the file that begins with its architecture's name, by what making its model has read.
std::vector<KeyState> key_states(const Weights& weights, const ReadRecord& record);

// Throws Error(unsupported) that names each key whose state is `refused`.
void refuse_keys(const Weights& weights, const ReadRecord& record);

}  // namespace emelex
