#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/kernel_table.h"

// What the micro-benchmarks share: random numbers, and one benchmark for each instruction set.
namespace emelex::bench {

inline std::vector<float> random_floats(size_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// Any bytes but those of scales that are infinite, NaN or so small that products with them are not normal numbers, so
// that none is slower or faster than a model's.
inline std::vector<std::byte> random_bytes(size_t n) {
  std::mt19937 random(2);
  std::vector<std::byte> bytes(n);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(0x20U | (random() & 0x1FU));
  return bytes;
}

// Registers "NAME/avx512" and so on for every table that this machine can run.
inline void register_for_tables(const std::string& name,
                                const std::function<void(benchmark::State&, const cpu::KernelTable&)>& run) {
  int count = 0;
  const auto* const* tables = cpu::available_tables(&count);
  for (int i = 0; i < count; ++i) {
    const cpu::KernelTable& table = *tables[i];
    benchmark::RegisterBenchmark((name + "/" + table.name).c_str(),
                                 [run, &table](benchmark::State& state) { run(state, table); });
  }
}

// Weights or cache that a call reads, and the arithmetic that it does, as rates.
inline void set_rates(benchmark::State& state, double bytes, double operations) {
  using benchmark::Counter;
  const auto calls = static_cast<double>(state.iterations());
  state.counters["bytes"] = Counter(bytes * calls, Counter::kIsRate, Counter::kIs1000);
  state.counters["flops"] = Counter(operations * calls, Counter::kIsRate, Counter::kIs1000);
}

inline int run_benchmarks(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace emelex::bench
