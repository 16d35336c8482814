#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "emelex/engine.h"

namespace emelex {

struct ByteCount {
  int64_t bytes = 0;
};

// What a user can set once for all commands. setting_keys.cpp has a line for each.
struct Settings {
  std::string model;            // meant where none is named; empty: what `emelex default` chose
  std::string quantization;     // pulled where there are several and none is named; empty: the usual ones
  int context = 0;              // tokens that a conversation can hold; 0: the model's, at most kDefaultContext
  int threads = 0;              // that compute; 0: one per physical core
  std::string device = "auto";  // "cpu", "gpu"
  std::string kv_type = "auto";
  ByteCount memory_limit;            // for a model on the CPU; 0: none
  ByteCount gpu_memory_limit;        // for a model on a GPU; 0: none
  bool gpu_float16_copy = true;      // where there is memory to spare
  SamplingOptions sampling;          // without its seed
  bool auto_pull = false;            // pull a model that is not here without asking
  int idle_unload = 300;             // seconds; 0: never
  std::filesystem::path models_dir;  // empty: default_models_root()
};

}  // namespace emelex
