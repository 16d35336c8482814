#pragma once

#include <string>

namespace emelex {

// What becomes of a key of a model's metadata or config.json.
enum class KeyUse {
  used,       // the model is computed with it, or it is checked
  no_effect,  // it changes no logits, or says what is computed anyway
  refused,    // it asks for something that is not computed
  unknown,    // nothing is known of it, in the peers (llama.cpp, transformers) neither
};

struct KeyState {
  std::string key;
  KeyUse use;
  std::string reason;  // empty for used and unknown
};

}  // namespace emelex
