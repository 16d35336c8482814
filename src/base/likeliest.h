#pragma once

#include <cstdint>
#include <span>

namespace emelex {

// Where no token is possible.
inline constexpr int32_t kNoToken = -1;

// The index of the largest of a row of logits, the lowest of equals. NaN and -infinity are impossible, +infinity is the
// largest number. kNoToken where none is possible.
int32_t likeliest_of(std::span<const float> logits);

}  // namespace emelex
