// What is done to a token between the products, on one core: NAME/VALUES/INSTRUCTION SET.
#include "micro.h"

namespace emelex::bench {
namespace {

constexpr int kSizes[] = {576, 3072, 8192};

using Run = std::function<void(const cpu::KernelTable&, const float* x, const float* y, int n, float* out)>;

void add(const std::string& name, const Run& run) {
  for (const int n : kSizes) {
    register_for_tables(name + "/" + std::to_string(n), [=](benchmark::State& state, const cpu::KernelTable& table) {
      const std::vector<float> x = random_floats(static_cast<size_t>(n));
      const std::vector<float> y = random_floats(static_cast<size_t>(n));
      std::vector<float> out = x;
      for (auto _ : state) {
        run(table, x.data(), y.data(), n, out.data());
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
      }
      set_rates(state, 4.0 * n, n);
    });
  }
}

void quantize(const cpu::KernelTable& table, const float* x, int n, std::vector<std::byte>& memory) {
  memory.resize(cpu::QuantizedActivations::bytes(1, n) + 64);
  table.quantize_activations(x, 0, cpu::QuantizedActivations::over(memory.data(), 1, n, table.max_tile));
}

}  // namespace
}  // namespace emelex::bench

int main(int argc, char** argv) {
  using namespace emelex;
  using cpu::KernelTable;
  bench::add("rms_norm", [](const KernelTable& table, const float* x, const float* y, int n, float* out) {
    table.rms_norm(x, y, 1e-5F, n, out);
  });
  bench::add("swiglu", [](const KernelTable& table, const float* x, const float* y, int n, float* out) {
    table.swiglu(x, y, n, out);
  });
  // In place and as often as the benchmark likes, so by no angle at all: numbers stay what they are.
  std::vector<float> angles(64, 1.0F);
  angles.resize(128, 0.0F);
  bench::add("rope", [&](const KernelTable& table, const float*, const float*, int n, float* out) {
    for (int head = 0; head + 128 <= n; head += 128) table.rope(out + head, 128, false, angles.data());
  });
  std::vector<std::byte> memory;
  bench::add("quantize_activations", [&](const KernelTable& table, const float* x, const float*, int n, float*) {
    bench::quantize(table, x, n, memory);
  });
  return bench::run_benchmarks(argc, argv);
}
