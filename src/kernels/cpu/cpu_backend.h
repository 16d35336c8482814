#pragma once

#include <memory>

#include "kernels/backend.h"

namespace emelex::cpu {

// emelex's own kernels on the CPU. `round_activations`: round activations to int8 where weights are quantized, and to
// bfloat16 where weights are that and the CPU has dot products of it; else all is float32. To be made and used on the
// thread that owns the MLX stream.
std::unique_ptr<Backend> make_cpu_backend(int n_threads, bool round_activations);

}  // namespace emelex::cpu
