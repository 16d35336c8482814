#pragma once

#include <cstddef>
#include <cstdint>

namespace emelex::jinja {

// What bounds a template, which comes from a file that nobody vouches for. The longest templates in use have 20 KB and
// nest about ten deep; recursion fits in the half megabyte of stack that threads have on macOS.
constexpr size_t kMostSourceBytes = 1U << 20U;
constexpr int kMostSyntaxDepth = 100;      // of statements and expressions in the source
constexpr int kMostEvaluationDepth = 400;  // of the same while running, through macro calls
constexpr int kMostValueDepth = 64;        // of lists in lists

// Work of one rendering: this many steps, and some more for each unit of data. A step is an operation or 16 bytes
// copied, a unit a number or 16 bytes of text. So memory stays below 200 MB and 256 times the data.
constexpr double kSteps = 2e6;
constexpr double kStepsADatum = 256;

constexpr double kStepsAScope = 8;  // what a scope's memory is worth

// JSON that a user gives: tools, documents, messages. Values take about 100 bytes of memory beside their text.
constexpr size_t kMostJsonBytes = 64U << 20U;
constexpr size_t kMostJsonDepth = 56;  // leaves room for lists around it in kMostValueDepth
constexpr size_t kMostJsonValues = 1'000'000;

constexpr int64_t kLongestRange = 100000;  // as in Jinja's sandbox

}  // namespace emelex::jinja
