// Attention of one kv head over the cache on one core: NAME/TOKENS/DEPTH/INSTRUCTION SET, with 3 query heads of 128
// that share it, as in Llama 3.2 3B.
#include "micro.h"

namespace emelex::bench {
namespace {

constexpr int kHeadDim = 128;
constexpr int kGroup = 3;

struct Case {
  int tokens;  // new ones
  int depth;   // tokens in the cache before
};
constexpr Case kCases[] = {{1, 512}, {1, 4096}, {16, 512}};  // decode, deep decode, a tile of a prompt

void attend(benchmark::State& state, const cpu::KernelTable& table, Case c, KvDtype dtype) {
  const cpu::KvLayout layout{1, kHeadDim, dtype};
  const int length = c.depth + c.tokens;
  const int n_blocks = (length + kBlockTokens - 1) / kBlockTokens;
  std::vector<std::byte> memory(layout.layer_bytes() * static_cast<size_t>(n_blocks));
  std::vector<const std::byte*> blocks;
  const std::vector<float> kv = random_floats(kHeadDim);
  for (int i = 0; i < n_blocks; ++i) {
    std::byte* block = memory.data() + layout.layer_bytes() * static_cast<size_t>(i);
    blocks.push_back(block);
    const auto store = table.store_kv[static_cast<int>(dtype)];
    for (int slot = 0; slot < kBlockTokens; ++slot) store(layout, block, slot, kv.data(), kv.data());
  }
  const int stride = kGroup * kHeadDim;
  const std::vector<float> q = random_floats(static_cast<size_t>(c.tokens * stride));
  std::vector<float> out(q.size());
  const cpu::AttendArgs args{layout, blocks.data(), 0, q.data(), out.data(), stride, kGroup, c.tokens, c.depth, 0};
  const int rows = c.tokens * kGroup;
  const size_t floats = cpu::AttendState::floats(rows, layout.padded_dim());
  std::vector<float> states(2 * floats);
  std::vector<float> scratch(cpu::kAttendScratchFloats);
  const auto first = cpu::AttendState::over(states.data(), rows);
  const auto next = cpu::AttendState::over(states.data() + floats, rows);
  const auto split = table.attend_split[static_cast<int>(dtype)];
  for (auto _ : state) {
    split(args, 0, first, scratch.data());
    for (int i = 1; i * cpu::kSplitTokens < length; ++i) {
      split(args, i, next, scratch.data());
      table.attend_merge(rows, layout.padded_dim(), first, next);
    }
    table.attend_finish(args, first);
    benchmark::DoNotOptimize(out.data());
  }
  set_rates(state, static_cast<double>(layout.layer_bytes()) / kBlockTokens * length, 4.0 * length * kHeadDim * rows);
}

}  // namespace
}  // namespace emelex::bench

int main(int argc, char** argv) {
  using namespace emelex;
  const std::pair<KvDtype, const char*> caches[] = {
      {KvDtype::f16, "attend_f16/"}, {KvDtype::f32, "attend_f32/"}, {KvDtype::q8_0, "attend_q8_0/"}};
  for (const auto& [dtype, cache] : caches) {
    for (const bench::Case c : bench::kCases) {
      const std::string name = cache + std::to_string(c.tokens) + "/" + std::to_string(c.depth);
      bench::register_for_tables(name, [c, dtype = dtype](benchmark::State& state, const cpu::KernelTable& table) {
        bench::attend(state, table, c, dtype);
      });
    }
  }
  return bench::run_benchmarks(argc, argv);
}
