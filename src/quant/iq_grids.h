#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// The grids of the IQ types: which groups of values a place in the grid stands for. They were found by a search over
// models and have no rule, so they are part of the format:
// https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
namespace emelex {

template <size_t kValues>
using GridPoint = std::array<int8_t, kValues>;

// Unpacked at the first call; safe from any thread.
const std::array<GridPoint<8>, 2048>& iq1_grid();     // -1, 0, 1
const std::array<GridPoint<8>, 256>& iq2_xxs_grid();  // 8, 25, 43
const std::array<GridPoint<8>, 512>& iq2_xs_grid();
const std::array<GridPoint<8>, 1024>& iq2_s_grid();
const std::array<GridPoint<4>, 256>& iq3_xxs_grid();  // 4, 12, 20, 28, 36, 44, 52, 62
const std::array<GridPoint<4>, 512>& iq3_s_grid();    // 1, 3, 5, 7, 9, 11, 13, 15

}  // namespace emelex
