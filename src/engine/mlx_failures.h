#pragma once

#include <string_view>

#include "emelex/error.h"

namespace emelex {

// The code of a failure of MLX's. MLX throws std::runtime_error and std::invalid_argument alone, so its messages are
// all there is to tell them apart by. `device` is "cpu" or "gpu".
ErrorCode mlx_error_code(std::string_view message, std::string_view device);

// rethrow_as_error() of base/failures.h for what a computation on `device` threw.
[[noreturn]] void rethrow_compute_error(std::string_view device);

}  // namespace emelex
