#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "weights/key_state.h"
#include "weights/weights.h"

namespace emelex {

// What every architecture has, read and checked once (model_config.h).
struct ModelConfig {
  int n_layers = 0;
  int dim = 0;
  int hidden_dim = 0;  // of the MLP
  int n_experts = 0;   // of a layer that has a mixture of them; 0: none has
  int n_experts_used = 0;
  int expert_hidden_dim = 0;
  int vocab_size = 0;
  int context_length = 0;     // tokens that the model was trained for
  AttentionConfig attention;  // of most layers; the sizes are those of all
};

// What a model is made of.
struct ModelInput {
  std::shared_ptr<const Weights> weights;
  Backend& backend;
  int context;  // tokens that a sequence may have; 0: as many as the model was trained for
};

// A model, ready to compute. Belongs to the thread that owns the MLX stream.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelConfig& config() const = 0;
  virtual std::vector<LayerMemory> memory() const = 0;  // of each layer

  // Computes the batch's tokens, adding their keys and values to its memory. → [tokens, dim], before the last norm
  virtual mx::array hidden(const Batch& batch) const = 0;
  // hidden [tokens, dim] → the logits [outputs, vocab_size] of the tokens that the step's outputs name, of which there
  // are some
  virtual mx::array logits(const mx::array& hidden, const Batch& batch) const = 0;
};

// Throws Error(unsupported), with the names that are known, unless emelex knows the file's general.architecture.
void check_architecture(const Metadata& metadata);

// Builds the model that the file's general.architecture names. Throws as check_architecture does, Error(corrupt_file)
// when keys or tensors are missing or do not fit together, and Error(unsupported) where the file has keys or tensors
// that the model would not be computed with.
std::unique_ptr<Model> make_model(const ModelInput& source);

// What becomes of each of the file's keys that begin with its architecture's name. Throws as make_model does, but for
// keys and tensors that are not computed.
std::vector<KeyState> model_keys(const ModelInput& source);

}  // namespace emelex
