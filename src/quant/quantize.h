#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "quant/tensor_type.h"

namespace emelex {

// Whether values can be written as that type: all but the IQ1, IQ2 and IQ3 types, which are only read.
bool can_quantize(TensorType type);

// The stored form of float32 values, the same on every machine. `from` is one row or several.
//
// Plain numbers, Q4_0 to Q5_1 and Q8_0 are rounded as ggml's reference rounds them, bit for bit. For the others scales
// and minima are searched for that make the sum of squared errors small. `importance`, where it is not empty, has one
// number a column, finite and at least 0, and from.size() is a multiple of its size: a column's squared errors count
// that much in the search (an importance matrix's mean squared activations). Types that are not searched for ignore it.
//
// Values must be finite, see require_finite. Others give a block without meaning, but no undefined behaviour.
//
// Throws Error: corrupt_file when the block size does not divide from.size(); invalid_argument when sizes do not fit
// together or importance is not as said; unsupported when the type is only read.
std::vector<std::byte> quantize(TensorType type, std::span<const float> from, std::span<const float> importance = {});

// The same into row_bytes(type, from.size()) bytes at any address. Rows may be shared out over threads.
void quantize(TensorType type, std::span<const float> from, std::span<std::byte> to,
              std::span<const float> importance = {});

// Throws Error(invalid_argument), which says where, when a value is infinite or not a number.
void require_finite(std::span<const float> values);

}  // namespace emelex
