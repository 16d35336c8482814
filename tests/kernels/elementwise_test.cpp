// RMSNorm, LayerNorm, SwiGLU, GELU, the soft cap and the rotary embedding.
#include <algorithm>

#include "kernels/kernel_test.h"

using namespace emelex;
using namespace emelex::test;

namespace {

constexpr int kSizes[] = {1, 15, 16, 17, 64, 576, 1000};

void check_close(const std::vector<float>& found, const std::vector<double>& expected, double relative) {
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::fabs(static_cast<double>(found[i]) - expected[i]) <= relative * std::fabs(expected[i]) + 1e-36);
  }
}

}  // namespace

TEST_CASE("RMSNorm divides by the root mean square, and every instruction set does the same") {
  for (const int n : kSizes) {
    CAPTURE(n);
    Random random(1);
    const auto weight = random.normals(static_cast<size_t>(n));
    for (const auto& x : activation_rows(n, 2)) {
      double squares = 0;
      for (const float v : x) squares += static_cast<double>(v) * static_cast<double>(v);
      const double scale = 1 / std::sqrt(squares / n + 1e-5);
      std::vector<double> expected;
      for (size_t i = 0; i < x.size(); ++i)
        expected.push_back(static_cast<double>(x[i]) * scale * static_cast<double>(weight[i]));
      const auto run = [&](const cpu::KernelTable& table) {
        std::vector<float> out(x.size());
        table.rms_norm(x.data(), weight.data(), 1e-5F, n, out.data());
        return out;
      };
      // Squares of 1e20 leave float32's range: an infinite sum gives zeros. Models stay far from there.
      if (squares < 1e37) check_close(run(scalar_table()), expected, 1e-6);
      for_each_table([&](const cpu::KernelTable& table) { CHECK(same_bits(run(table), run(scalar_table()))); });
    }
  }
}

TEST_CASE("LayerNorm takes the mean away and divides by the deviation, and every instruction set does the same") {
  for (const int n : kSizes) {
    CAPTURE(n);
    Random random(1);
    const auto weight = random.normals(static_cast<size_t>(n));
    const auto bias = random.normals(static_cast<size_t>(n));
    for (const auto& x : activation_rows(n, 2)) {
      double mean = 0;
      for (const float v : x) mean += static_cast<double>(v) / n;
      double variance = 0;
      double largest = 0;
      for (const float v : x) {
        variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / n;
        largest = std::max(largest, std::fabs(static_cast<double>(v)));
      }
      const double scale = 1 / std::sqrt(variance + 1e-5);
      const auto run = [&](const cpu::KernelTable& table) {
        std::vector<float> out(x.size());
        table.layer_norm(x.data(), weight.data(), bias.data(), 1e-5F, n, out.data());
        return out;
      };
      const auto found = run(scalar_table());
      for (size_t i = 0; i < x.size() && largest < 1e15; ++i) {
        const double expected =
            (static_cast<double>(x[i]) - mean) * scale * static_cast<double>(weight[i]) + static_cast<double>(bias[i]);
        // A float's mean is off by some of its last places, which the scale makes larger.
        const double room =
            1e-6 * (std::fabs(expected) + 1) + 5e-7 * largest * scale * std::fabs(static_cast<double>(weight[i]));
        CHECK(std::fabs(static_cast<double>(found[i]) - expected) <= room);
      }
      for_each_table([&](const cpu::KernelTable& table) { CHECK(same_bits(run(table), found)); });
    }
  }
}

TEST_CASE("GELU, GeGLU and the soft cap are what double precision gives, from the smallest to the largest numbers") {
  std::vector<float> x = {0.0F, -0.0F, 1e-30F, -1e-30F, 5.0F, -5.0F, 9.0F, -9.0F, 13.0F, -13.0F, 1e4F, -1e4F, 1e12F};
  Random random(7);
  for (int i = 0; i < 2000; ++i) x.push_back(random.normal(i % 2 == 0 ? 1.0F : 6.0F));
  const auto up = random.normals(x.size());
  enum class Kind { gelu, geglu, cap };
  const auto run = [&](const cpu::KernelTable& table, Kind kind, size_t n) {
    std::vector<float> out(n);
    const auto size = static_cast<int>(n);
    if (kind == Kind::gelu) table.gelu(x.data(), size, out.data());
    if (kind == Kind::geglu) table.geglu(x.data(), up.data(), size, out.data());
    if (kind == Kind::cap) table.soft_cap(x.data(), 30.0F, size, out.data());
    return out;
  };
  const auto gelu = run(scalar_table(), Kind::gelu, x.size());
  const auto geglu = run(scalar_table(), Kind::geglu, x.size());
  const auto capped = run(scalar_table(), Kind::cap, x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const auto v = static_cast<double>(x[i]);
    CAPTURE(v);
    const double expected =
        0.5 * v * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v)));
    const double room = 2e-6 * std::fabs(expected) + 1e-6;
    CHECK(std::fabs(static_cast<double>(gelu[i]) - expected) <= room);
    const auto factor = static_cast<double>(up[i]);
    CHECK(std::fabs(static_cast<double>(geglu[i]) - expected * factor) <= 2 * room * (1 + std::fabs(factor)));
    CHECK(std::fabs(static_cast<double>(capped[i]) - 30 * std::tanh(v / 30)) <= 1e-5);
  }
  for (const Kind kind : {Kind::gelu, Kind::geglu, Kind::cap}) {
    for (const size_t n : {size_t{1}, size_t{15}, size_t{17}, x.size()}) {
      for_each_table(
          [&](const cpu::KernelTable& table) { CHECK(same_bits(run(table, kind, n), run(scalar_table(), kind, n))); });
    }
  }
}

TEST_CASE("SwiGLU is x / (1 + exp(-x)) times up, from the smallest to the largest numbers") {
  std::vector<float> gate;
  for (const float x :
       {0.0F, -0.0F, 1e-30F, -1e-30F, 86.9F, -86.9F, 87.5F, -87.5F, 88.5F, -88.5F, 1000.0F, -1000.0F, 1e30F, -1e30F}) {
    gate.push_back(x);
  }
  Random random(3);
  for (int i = 0; i < 4000; ++i) gate.push_back(random.normal(i % 2 == 0 ? 3.0F : 30.0F));
  const auto up = random.normals(gate.size());
  const auto run = [&](const cpu::KernelTable& table, size_t n) {
    std::vector<float> out(n);
    table.swiglu(gate.data(), up.data(), static_cast<int>(n), out.data());
    return out;
  };
  std::vector<double> expected;
  for (size_t i = 0; i < gate.size(); ++i) {
    const auto x = static_cast<double>(gate[i]);
    // Below -87 the kernel's exponential ends, and the result is x · 1e-38 in place of less.
    expected.push_back(x / (1 + std::exp(-std::max(x, -87.9))) * static_cast<double>(up[i]));
  }
  const auto found = run(scalar_table(), gate.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(gate[i]);
    const double room = gate[i] < -80 ? 1e-7 * static_cast<double>(std::fabs(gate[i] / 80 * up[i])) : 0;
    CHECK(std::fabs(static_cast<double>(found[i]) - expected[i]) <= 1e-6 * std::fabs(expected[i]) + room + 1e-36);
  }
  for (const size_t n : {size_t{1}, size_t{15}, size_t{17}, gate.size()}) {
    for_each_table([&](const cpu::KernelTable& table) { CHECK(same_bits(run(table, n), run(scalar_table(), n))); });
  }
}

TEST_CASE("the rotary embedding rotates interleaved pairs or halves, and leaves what is beyond") {
  for (const int dim : {2, 8, 64, 72, 128}) {
    for (const bool interleaved : {true, false}) {
      CAPTURE(dim);
      CAPTURE(interleaved);
      Random random(4);
      const auto half = static_cast<size_t>(dim / 2);
      const auto head = random.normals(static_cast<size_t>(dim) + 3);
      std::vector<float> cos_sin;
      std::vector<double> expected(head.begin(), head.end());
      for (const bool sine : {false, true}) {
        for (size_t i = 0; i < half; ++i)
          cos_sin.push_back(sine ? std::sin(static_cast<float>(i + 1)) : std::cos(static_cast<float>(i + 1)));
      }
      for (size_t i = 0; i < half; ++i) {
        const size_t first = interleaved ? 2 * i : i;
        const size_t second = interleaved ? 2 * i + 1 : i + half;
        const auto a = static_cast<double>(head[first]);
        const auto b = static_cast<double>(head[second]);
        const auto c = static_cast<double>(cos_sin[i]);
        const auto s = static_cast<double>(cos_sin[i + half]);
        expected[first] = a * c - b * s;
        expected[second] = a * s + b * c;
      }
      const auto run = [&](const cpu::KernelTable& table) {
        auto turned = head;
        table.rope(turned.data(), dim, interleaved, cos_sin.data());
        return turned;
      };
      const auto found = run(scalar_table());
      for (size_t i = 0; i < found.size(); ++i) CHECK(std::fabs(static_cast<double>(found[i]) - expected[i]) <= 1e-6);
      for_each_table([&](const cpu::KernelTable& table) { CHECK(same_bits(run(table), found)); });
    }
  }
}
