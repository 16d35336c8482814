#include "models/family.h"

// Mistral (Jiang et al., arXiv:2310.06825): a Llama whose tokens may see a window of those before them. It is computed
// as one.
namespace emelex {
namespace {

void read_mistral_keys(const ConfigObject& root, HfKeys& keys) { add_window(keys, window_size(root, 4096)); }

const RegisterHfFamily mistral({.model_type = "mistral",
                                .architecture = "llama",
                                .modules = llama_modules(),
                                .biases = {},
                                .read_more = read_mistral_keys,
                                .context_length = 131'072,
                                .n_kv_heads = 8,
                                .null_kv_heads = false});

}  // namespace
}  // namespace emelex
