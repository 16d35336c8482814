#pragma once

#include <memory>

#include "kernels/route.h"

namespace emelex::cpu {

// emelex's own kernels on the CPU. `int8_activations`: round activations to int8 where weights are quantized; else all
// is float32. To be made and used on the thread that owns the MLX stream.
std::unique_ptr<Route> make_cpu_route(int n_threads, bool int8_activations);

}  // namespace emelex::cpu
