#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/kernel_table.h"
#include "quant/dequantize.h"

namespace emelex::test {

// Whether tests repeat less: sanitized kernels take some fifteen times as long, and the sanitizers look at memory and
// arithmetic, not at numbers. Every kernel, format, size of a tile and edge stays; what is left out are further
// combinations of them. tests/kernels/CMakeLists.txt defines EMELEX_FEWER_PASSES where EMELEX_SANITIZE is set.
#if defined(EMELEX_FEWER_PASSES)
constexpr bool kFewerPasses = true;
#else
constexpr bool kFewerPasses = false;
#endif

// Calls check(table) for every instruction set of this machine, "scalar" included.
template <class Check>
void for_each_table(const Check& check) {
  int count = 0;
  const auto* const* tables = cpu::available_tables(&count);
  for (int i = 0; i < count; ++i) {
    CAPTURE(tables[i]->name);
    check(*tables[i]);
  }
}

inline const cpu::KernelTable& scalar_table() {
  int count = 0;
  const auto* const* tables = cpu::available_tables(&count);
  return *tables[count - 1];
}

// Bit for bit, so that a NaN equals itself and zeros of two signs differ.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float normal(float spread = 1.0F) { return spread * std::normal_distribution<float>()(engine_); }
  int below(int n) { return static_cast<int>(engine_() % static_cast<uint32_t>(n)); }

  std::vector<float> normals(size_t n, float spread = 1.0F) {
    std::vector<float> values(n);
    for (float& value : values) value = normal(spread);
    return values;
  }
  std::vector<std::byte> bytes(size_t n) {
    std::vector<std::byte> values(n);
    for (std::byte& value : values) value = static_cast<std::byte>(engine_());
    return values;
  }

 private:
  std::mt19937 engine_;
};

// The kinds of activations that a row may hold: what models have, and what they should not.
inline std::vector<std::vector<float>> activation_rows(int columns, uint32_t seed) {
  Random random(seed);
  const auto n = static_cast<size_t>(columns);
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 5; ++i) rows.push_back(random.normals(n));
  rows.emplace_back(n, 0.0F);
  rows.emplace_back(n, 3.25F);
  rows.push_back(random.normals(n, 1e-40F));  // denormal
  rows.push_back(random.normals(n, 1e20F));
  auto outlier = random.normals(n);
  outlier[n / 3] = 500.0F;
  rows.push_back(outlier);
  auto offset = random.normals(n, 0.01F);
  for (float& x : offset) x += 1e5F;  // the range is near the spacing of floats
  rows.push_back(offset);
  auto halves = random.normals(n);
  for (size_t i = 0; i < n; ++i) halves[i] = static_cast<float>(random.below(509) - 254) / 2;  // many ties
  rows.push_back(halves);
  return rows;
}

}  // namespace emelex::test
