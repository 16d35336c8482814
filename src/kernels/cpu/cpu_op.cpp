#include "kernels/cpu/cpu_op.h"

#include <mlx/allocator.h>
#include <mlx/transforms.h>

#include <new>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex::cpu {

const float* op_input(const char* name, mx::array& input) {
  if (!input.is_available()) input.eval();
  if (input.dtype() != mx::float32 || !input.flags().row_contiguous) {
    throw Error(ErrorCode::internal, str_cat("[", name, "] expected contiguous float32 inputs"));
  }
  return input.data<float>();
}

mx::array op_output(const mx::Shape& shape) {
  size_t bytes = sizeof(float);
  for (const auto n : shape) bytes *= static_cast<size_t>(n);
  mx::array output(mx::allocator::malloc(bytes), shape, mx::float32);
  // MLX's CPU allocator gives what std::malloc gave.
  if (bytes > 0 && output.data<float>() == nullptr) throw std::bad_alloc();
  return output;
}

}  // namespace emelex::cpu
