#pragma once

#include <mlx/array.h>
#include <mlx/primitives.h>

#include <functional>
#include <memory>
#include <vector>

#include "kernels/cpu/cpu_context.h"

namespace emelex::cpu {

namespace mx = mlx::core;

// What a graph node does, called on the stream's thread: the rows of its inputs and the memory of its outputs, all
// contiguous float32. It must own (by value or shared_ptr) whatever else it uses: the node may be gone when it runs.
using OpRun = std::function<void(const float* const* inputs, float* const* outputs)>;

// A node of MLX's graph whose work is one of our kernels. What `run` throws, or throws for want of memory, is kept in
// context->failure; later nodes then do nothing.
std::vector<mx::array> make_op(const char* name, CpuContextPtr context, const std::vector<mx::Shape>& output_shapes,
                               const std::vector<mx::array>& inputs, OpRun run);

// The same with one output.
mx::array make_op(const char* name, CpuContextPtr context, const mx::Shape& output_shape,
                  const std::vector<mx::array>& inputs, OpRun run);

}  // namespace emelex::cpu
