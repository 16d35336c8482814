#pragma once

#include <mlx/array.h>

#include <vector>

namespace emelex::cpu {

namespace mx = mlx::core;

// An operation of the CPU backend: run(inputs, outputs) with the rows of its inputs and the memory of its outputs, all
// contiguous float32. It runs at once, on the calling thread and the pool, and not as a node of MLX's graph: there is
// nothing to gain from ordering operations that each use all threads (docs/decisions/0007-operations-at-once.md).
// Inputs that MLX has yet to compute are computed first. Throws std::bad_alloc, and what `run` throws.
template <class Run>
std::vector<mx::array> make_op(const char* name, const std::vector<mx::Shape>& output_shapes,
                               std::vector<mx::array> inputs, const Run& run);

// The same with one output.
template <class Run>
mx::array make_op(const char* name, const mx::Shape& output_shape, std::vector<mx::array> inputs, const Run& run);

// What make_op is made of.
const float* op_input(const char* name, mx::array& input);
mx::array op_output(const mx::Shape& shape);

template <class Run>
std::vector<mx::array> make_op(const char* name, const std::vector<mx::Shape>& output_shapes,
                               std::vector<mx::array> inputs, const Run& run) {
  std::vector<const float*> in;
  std::vector<float*> out;
  std::vector<mx::array> outputs;
  in.reserve(inputs.size());
  out.reserve(output_shapes.size());
  outputs.reserve(output_shapes.size());
  for (auto& input : inputs) in.push_back(op_input(name, input));
  for (const auto& shape : output_shapes) {
    outputs.push_back(op_output(shape));
    out.push_back(outputs.back().data<float>());
  }
  run(in.data(), out.data());
  return outputs;
}

template <class Run>
mx::array make_op(const char* name, const mx::Shape& output_shape, std::vector<mx::array> inputs, const Run& run) {
  return make_op(name, std::vector<mx::Shape>{output_shape}, std::move(inputs), run).front();
}

}  // namespace emelex::cpu
