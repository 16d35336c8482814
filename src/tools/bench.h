#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/engine.h"

namespace emelex {

// What to measure. Every number of `prompt` and of `generate` is one test of its own.
struct BenchOptions {
  std::vector<int> prompt = {512};    // lengths of prompts to compute ("pp512"); empty: none
  std::vector<int> generate = {128};  // numbers of tokens to generate ("tg128"); empty: none
  int depth = 0;                      // tokens in the KV cache before the clock starts
  int batch = 1;                      // sequences generated together; 1: a single one
  int repetitions = 5;                // timed runs a test, after one that is not counted
  bool probe = false;                 // measure the memory's speed between the tokens that are generated
  LoadOptions load;                   // its context does not count: it is as large as the tests need
};

// One test's outcome over all repetitions. Rates count the tokens of all sequences.
struct BenchRow {
  std::string test;  // "pp512", "tg128", "tg128 @ d4096", "tg128 x b8"
  int repetitions = 0;
  double mean = 0;    // tokens per second, as the next four
  double stddev = 0;  // of the sample; 0 with one repetition
  double min = 0;
  double median = 0;
  double max = 0;
  double bytes_per_second = 0;         // of weights and KV cache read, by the mean; 0: not meaningful for this test
  double memory_bytes_per_second = 0;  // that reading the weights alone gave meanwhile; 0: not measured
};

// What run_bench measured, and on what: `model` names the file, its size, the instruction set, kernels and threads.
struct BenchReport {
  ModelInfo model;
  std::vector<BenchRow> rows;
};

// Called before each test and repetition with a short line for people.
using BenchProgress = std::function<void(std::string_view line)>;

// Loads the model and runs every test; `progress` may be empty. Throws Error as Engine::load does, and
// Error(invalid_argument) for lengths that do not fit in the model's context.
BenchReport run_bench(const std::filesystem::path& model, const BenchOptions& options, const BenchProgress& progress);

}  // namespace emelex
