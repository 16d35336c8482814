#include "models/architecture.h"

#include "base/strings.h"
#include "emelex/error.h"
#include "models/key_rules.h"

namespace emelex {
namespace {

// Made when the first is added, as the order in which files' static objects are made is not known.
NameTable<Architecture>& registry() {
  static NameTable<Architecture> all("architecture");
  return all;
}

// Files of GGUF may hold other things than a model.
void check_type(const Weights& weights) {
  const std::string type = weights.metadata().string("general.type").value_or("model");
  if (type == "model") return;
  throw Error(ErrorCode::unsupported, str_cat("[models] expected a model that writes text (general.type 'model'), got ",
                                              quote_bytes(type), " in ", path_text(weights.path())));
}

}  // namespace

RegisterArchitecture::RegisterArchitecture(const Architecture& architecture) {
  registry().add(architecture.name, architecture);
}

const NameTable<Architecture>& architectures() { return registry(); }

const Architecture& find_architecture(const Metadata& metadata) {
  const std::string name = metadata.require_string("general.architecture");
  if (const Architecture* found = architectures().find(name)) return *found;
  throw Error(ErrorCode::unsupported,
              str_cat("[models] expected one of the known architectures (", architectures().names(), "), got ",
                      quote_bytes(name), " in ", metadata.source()));
}

RopePairs rope_pairs(const Weights& weights) {
  return weights.facts().rope_pairs.value_or(find_architecture(weights.metadata()).rope_pairs);
}

void check_architecture(const Metadata& metadata) { find_architecture(metadata); }

namespace {

// A GGUF file that lost its output would be computed with the embedding instead. A folder's configuration says which.
void check_output(const Weights& weights, const Architecture& architecture) {
  constexpr std::string_view kOutput = "output.weight";
  if (!architecture.needs_output || weights.facts().from_config || weights.find(kOutput) != nullptr) return;
  throw Error(ErrorCode::corrupt_file,
              str_cat("[models] expected tensor ", quote_bytes(kOutput), ", which each model of ",
                      quote_bytes(architecture.name), " has, got no such tensor in ", path_text(weights.path())));
}

// Which layers have experts is told by their tensors. Where a folder's configuration says it too, both must agree.
void check_expert_layers(const Weights& weights) {
  const std::vector<bool>& layers = weights.facts().expert_layers;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string router = str_cat("blk.", i, ".ffn_gate_inp.weight");
    const bool has_router = weights.tensors().contains(router);
    if (has_router == layers[i]) continue;
    throw Error(ErrorCode::unsupported,
                str_cat("[models] expected ", layers[i] ? "experts" : "no experts", " in layer ", i,
                        ", as 'decoder_sparse_step' and 'mlp_only_layers' say, got ", has_router ? "the" : "no",
                        " tensor ", quote_bytes(router), " in ", path_text(weights.path())));
  }
}

std::unique_ptr<Model> make_recorded(const ModelInput& source, const std::shared_ptr<ReadRecord>& record) {
  const Weights& weights = *source.weights;
  const Architecture& architecture = find_architecture(weights.metadata());
  check_type(weights);
  check_output(weights, architecture);
  check_biases(weights, architecture.biases);
  check_expert_layers(weights);
  return architecture.make({weights.recorded(record), source.backend, source.context});
}

}  // namespace

std::unique_ptr<Model> make_model(const ModelInput& source) {
  const auto record = std::make_shared<ReadRecord>();
  std::unique_ptr<Model> model = make_recorded(source, record);
  refuse_keys(*source.weights, *record);
  refuse_unread_tensors(*source.weights, *record);
  return model;
}

std::vector<KeyState> model_keys(const ModelInput& source) {
  const auto record = std::make_shared<ReadRecord>();
  make_recorded(source, record);
  return key_states(*source.weights, *record);
}

}  // namespace emelex
