#include "engine/mlx_failures.h"

#include <array>
#include <exception>

#include "base/failures.h"

namespace emelex {
namespace {

// What MLX 0.32 says when an allocation fails: its CPU allocator, its Metal one, Metal's command buffers, and CUDA's
// runtime (cudaErrorMemoryAllocation).
constexpr std::array<std::string_view, 5> kNoMemory = {
    "[malloc] Unable to allocate",
    "[malloc_or_wait] Unable to allocate",
    "[metal::malloc]",
    "kIOGPUCommandBufferCallbackErrorOutOfMemory",
    "out of memory",
};

}  // namespace

ErrorCode mlx_error_code(std::string_view message, std::string_view device) {
  for (const std::string_view text : kNoMemory) {
    if (message.find(text) != std::string_view::npos) return ErrorCode::out_of_memory;
  }
  return device == "gpu" ? ErrorCode::device : ErrorCode::internal;
}

void rethrow_compute_error(std::string_view device) {
  ErrorCode code = ErrorCode::internal;
  try {
    throw;
  } catch (const std::exception& error) {
    code = mlx_error_code(error.what(), device);
  } catch (...) {
  }
  rethrow_as_error(device, code);
}

}  // namespace emelex
