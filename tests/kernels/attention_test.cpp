// Storing keys and values, and attending to them.
#include <algorithm>

#include "kernels/kernel_test.h"
#include "quant/half.h"

using namespace emelex;
using namespace emelex::test;

namespace {

// A sequence's keys and values in blocks, and queries for its last tokens.
struct Setup {
  int head_dim;
  int group;  // query heads that share a kv head
  int positions;
  int queries;  // the last tokens
  int element_bytes;
  float spread = 1.0F;  // of keys and values
  static constexpr int kKvHeads = 2;

  int heads() const { return kKvHeads * group; }
  size_t kv_size() const { return static_cast<size_t>(kKvHeads * head_dim); }
  size_t q_size() const { return static_cast<size_t>(heads() * head_dim); }
};

struct Data {
  std::vector<float> q, k, v;

  explicit Data(const Setup& s) {
    Random random(static_cast<uint32_t>(s.positions + s.head_dim));
    q = random.normals(static_cast<size_t>(s.queries) * s.q_size(), 0.5F);
    k = random.normals(static_cast<size_t>(s.positions) * s.kv_size(), s.spread);
    v = random.normals(static_cast<size_t>(s.positions) * s.kv_size(), s.spread);
  }
};

std::vector<std::vector<std::byte>> store(const cpu::KernelTable& table, const Setup& s, const Data& data) {
  const cpu::KvLayout layout{Setup::kKvHeads, s.head_dim, s.element_bytes};
  std::vector<std::vector<std::byte>> blocks(static_cast<size_t>((s.positions + kBlockTokens - 1) / kBlockTokens),
                                             std::vector<std::byte>(layout.layer_bytes()));
  for (int p = 0; p < s.positions; ++p) {
    const auto put = s.element_bytes == 2 ? table.store_kv_f16 : table.store_kv_f32;
    const size_t at = static_cast<size_t>(p) * s.kv_size();
    put(layout, blocks[static_cast<size_t>(p / kBlockTokens)].data(), p % kBlockTokens, &data.k[at], &data.v[at]);
  }
  return blocks;
}

// Queries [first, first + count) of the setup's, as the route shares them out.
std::vector<float> attend(const cpu::KernelTable& table, const Setup& s, const Data& data,
                          const std::vector<std::vector<std::byte>>& blocks, int first, int count) {
  const cpu::KvLayout layout{Setup::kKvHeads, s.head_dim, s.element_bytes};
  std::vector<const std::byte*> pointers;
  for (const auto& block : blocks) pointers.push_back(block.data());
  std::vector<float> out(static_cast<size_t>(count) * s.q_size());
  const int rows = count * s.group;
  const auto split = s.element_bytes == 2 ? table.attend_split_f16 : table.attend_split_f32;
  std::vector<float> scratch(cpu::kAttendScratchFloats);
  for (int head = 0; head < Setup::kKvHeads; ++head) {
    const int first_position = s.positions - s.queries + first;
    const cpu::AttendArgs args{layout,
                               pointers.data(),
                               0,
                               data.q.data() + static_cast<size_t>(first) * s.q_size(),
                               out.data(),
                               static_cast<int>(s.q_size()),
                               s.group,
                               count,
                               first_position,
                               head};
    const size_t floats = cpu::AttendState::floats(rows, layout.padded_dim());
    std::vector<float> memory(floats);
    std::vector<float> next(floats);
    const auto state = cpu::AttendState::over(memory.data(), rows);
    split(args, 0, state, scratch.data());
    for (int i = 1; i * cpu::kSplitTokens < first_position + count; ++i) {
      split(args, i, cpu::AttendState::over(next.data(), rows), scratch.data());
      table.attend_merge(rows, layout.padded_dim(), state, cpu::AttendState::over(next.data(), rows));
    }
    table.attend_finish(args, state);
  }
  return out;
}

double stored(float x, int element_bytes) {
  if (element_bytes == 4) return static_cast<double>(x);
  return static_cast<double>(half_to_float(float_to_half(std::clamp(x, -65504.0F, 65504.0F))));
}

std::vector<double> reference(const Setup& s, const Data& data) {
  std::vector<double> out;
  const auto dim = static_cast<size_t>(s.head_dim);
  for (int t = 0; t < s.queries; ++t) {
    for (int head = 0; head < s.heads(); ++head) {
      const float* q = &data.q[static_cast<size_t>(t) * s.q_size() + static_cast<size_t>(head) * dim];
      const size_t kv = static_cast<size_t>(head / s.group) * dim;
      const auto visible = static_cast<size_t>(s.positions - s.queries + t + 1);
      std::vector<double> scores(visible);
      for (size_t p = 0; p < visible; ++p) {
        for (size_t i = 0; i < dim; ++i)
          scores[p] += static_cast<double>(q[i]) * stored(data.k[p * s.kv_size() + kv + i], s.element_bytes);
      }
      const double most = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - most);
      for (size_t i = 0; i < dim; ++i) {
        double mix = 0;
        for (size_t p = 0; p < visible; ++p)
          mix += scores[p] / sum * stored(data.v[p * s.kv_size() + kv + i], s.element_bytes);
        out.push_back(mix);
      }
    }
  }
  return out;
}

// Odd sizes, borders of blocks (64) and splits (512).
std::vector<Setup> setups() {
  std::vector<Setup> all;
  for (const int element_bytes : {2, 4}) {
    for (const int head_dim : {16, 64, 72, 80, 128}) {
      for (const int group : {1, 2, 3, 8}) all.push_back({head_dim, group, 70 + group, 1 + group, element_bytes});
    }
    for (const int positions : {1, 63, 64, 65, 511, 512, 513, 1100})
      all.push_back({64, 3, positions, std::min(positions, 5), element_bytes});
    all.push_back({64, 3, 100, 4, element_bytes, 300.0F});  // one position takes all
    all.push_back({64, 3, 100, 4, element_bytes, 0.0F});    // all alike
  }
  return all;
}

}  // namespace

TEST_CASE("attention is what double precision gives over the stored keys and values") {
  for (const Setup& s : setups()) {
    CAPTURE(s.head_dim);
    CAPTURE(s.group);
    CAPTURE(s.positions);
    const Data data(s);
    const auto expected = reference(s, data);
    const auto found = attend(scalar_table(), s, data, store(scalar_table(), s, data), 0, s.queries);
    REQUIRE(found.size() == expected.size());
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(found[i]) - expected[i]));
    // A score of 20 is off by some 1e-6 before the exponential; scores of hundreds by more.
    CHECK(worst <= (s.spread > 1 ? 1e-3 * static_cast<double>(s.spread) : 2e-5));
  }
}

TEST_CASE("every instruction set stores and attends with the scalar one's bits") {
  for (const Setup& s : setups()) {
    const Data data(s);
    const auto blocks = store(scalar_table(), s, data);
    const auto expected = attend(scalar_table(), s, data, blocks, 0, s.queries);
    for_each_table([&](const cpu::KernelTable& table) {
      CHECK(store(table, s, data) == blocks);
      CHECK(same_bits(attend(table, s, data, blocks, 0, s.queries), expected));
    });
  }
}

TEST_CASE("a token's attention does not depend on the tokens computed with it") {
  for (const Setup& s : setups()) {
    const Data data(s);
    for_each_table([&](const cpu::KernelTable& table) {
      const auto blocks = store(table, s, data);
      const auto together = attend(table, s, data, blocks, 0, s.queries);
      for (int t = 0; t < s.queries; ++t) {
        const auto begin = together.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(t) * s.q_size());
        CHECK(
            same_bits(attend(table, s, data, blocks, t, 1), {begin, begin + static_cast<std::ptrdiff_t>(s.q_size())}));
      }
    });
  }
}

TEST_CASE("keys and values beyond float16's range are stored as its largest") {
  Setup s{16, 1, 3, 1, 2};
  Data data(s);
  std::fill(data.v.begin(), data.v.end(), 1e6F);
  for_each_table([&](const cpu::KernelTable& table) {
    for (const float x : attend(table, s, data, store(table, s, data), 0, 1)) CHECK(x == doctest::Approx(65504.0F));
  });
}
