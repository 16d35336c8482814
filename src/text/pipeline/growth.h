#pragma once

#include <cstddef>

namespace emelex {

// A tokenizer's file can ask for steps that each double a text. Those in use make at most some ten times as much of it.

constexpr size_t kMostSteps = 64;               // of a normalizer, a pre-tokenizer or a decoder
constexpr size_t kLongestInserted = 256;        // bytes that a step puts in at one place; in use: 36
constexpr size_t kMostGrowth = 64;              // of a text, in all steps together
constexpr size_t kGrowthOfAnyText = 1U << 12U;  // bytes, however short the text is

// Throws Error(unsupported) where `after` bytes are too many for what was `before`.
void check_growth(size_t before, size_t after);

}  // namespace emelex
