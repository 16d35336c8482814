#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "weights/key_state.h"

namespace emelex {

// Adds the state of each key of `object` and of the objects in it that `record` has keys of. Those that were asked for
// are used; of the others hf_key_rules.cpp lists what changes no logits. tests/differential/keys_check.py compares the
// list with what transformers' configurations have.
void add_key_states(const nlohmann::json& object, const std::string& prefix,
                    const std::set<std::string, std::less<>>& record, std::vector<KeyState>& states);

}  // namespace emelex
