#pragma once

#include <string>
#include <vector>

#include "tools/describe_model.h"
#include "tools/model_keys.h"

// What `emelex show` prints. Whatever a file holds, nothing here has control characters but line ends.
namespace emelex::cli {

// The facts, the tensors by kind, and the metadata with long values cut. `last_used` is a time, or empty for a model of
// which that is not known.
std::string show_summary(const ModelDescription& model, const std::string& last_used);

// A line for each key, with all of its value.
std::string show_metadata(const ModelDescription& model);

// A line for each key: what becomes of it, and why.
std::string show_keys(const std::vector<KeyState>& keys);

// A line for each tensor.
std::string show_tensors(const ModelDescription& model);

struct ShowJsonOptions {
  bool tensors = false;      // a list of all tensors too
  bool full_arrays = false;  // else long ones are {"type", "length", "first"}
  std::string last_used;     // as in show_summary
};

// One object, whose keys are there whatever the model.
std::string show_json(const ModelDescription& model, const ShowJsonOptions& options);

}  // namespace emelex::cli
