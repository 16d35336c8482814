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
  KvDtype dtype;
  float spread = 1.0F;  // of keys and values
  int window = 0;
  float soft_cap = 0.0F;
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
  const cpu::KvLayout layout{Setup::kKvHeads, s.head_dim, s.dtype};
  std::vector<std::vector<std::byte>> blocks(static_cast<size_t>((s.positions + kBlockTokens - 1) / kBlockTokens),
                                             std::vector<std::byte>(layout.layer_bytes()));
  for (int p = 0; p < s.positions; ++p) {
    const size_t at = static_cast<size_t>(p) * s.kv_size();
    table.store_kv[static_cast<int>(s.dtype)](layout, blocks[static_cast<size_t>(p / kBlockTokens)].data(),
                                              p % kBlockTokens, &data.k[at], &data.v[at]);
  }
  return blocks;
}

// Queries [first, first + count) of the setup's, as the backend shares them out.
std::vector<float> attend(const cpu::KernelTable& table, const Setup& s, const Data& data,
                          const std::vector<std::vector<std::byte>>& blocks, int first, int count) {
  const cpu::KvLayout layout{Setup::kKvHeads, s.head_dim, s.dtype};
  std::vector<const std::byte*> pointers;
  for (const auto& block : blocks) pointers.push_back(block.data());
  std::vector<float> out(static_cast<size_t>(count) * s.q_size());
  const int rows = count * s.group;
  const auto split = table.attend_split[static_cast<int>(s.dtype)];
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
                               head,
                               s.window,
                               s.soft_cap};
    const size_t floats = cpu::AttendState::floats(rows, layout.padded_dim());
    std::vector<float> memory(floats);
    std::vector<float> next(floats);
    const auto state = cpu::AttendState::over(memory.data(), rows);
    const int begin = cpu::first_seen(first_position, s.window) / cpu::kSplitTokens;
    split(args, begin, state, scratch.data());
    for (int i = begin + 1; i * cpu::kSplitTokens < first_position + count; ++i) {
      split(args, i, cpu::AttendState::over(next.data(), rows), scratch.data());
      table.attend_merge(rows, layout.padded_dim(), state, cpu::AttendState::over(next.data(), rows));
    }
    table.attend_finish(args, state);
  }
  return out;
}

// What the cache holds for n values of heads of `dim`.
std::vector<double> stored(const std::vector<float>& x, size_t dim, KvDtype dtype) {
  std::vector<double> out(x.begin(), x.end());
  if (dtype == KvDtype::f16) {
    for (size_t i = 0; i < x.size(); ++i)
      out[i] = static_cast<double>(half_to_float(float_to_half(std::clamp(x[i], -65504.0F, 65504.0F))));
  }
  if (dtype == KvDtype::q8_0) {
    for (size_t head = 0; head < x.size(); head += dim) {
      for (size_t at = head; at < head + dim; at += 32) {
        const size_t end = std::min(at + 32, head + dim);
        float most = 0;
        for (size_t i = at; i < end; ++i) most = std::max(most, std::fabs(x[i]));
        const float scale = half_to_float(float_to_half(std::min(most / 127.0F, 65504.0F)));
        for (size_t i = at; i < end; ++i) {
          const float steps = scale > 0 ? std::nearbyint(std::clamp(x[i] / scale, -127.0F, 127.0F)) : 0.0F;
          out[i] = static_cast<double>(scale) * static_cast<double>(steps);
        }
      }
    }
  }
  return out;
}

std::vector<double> reference(const Setup& s, const Data& data) {
  std::vector<double> out;
  const auto dim = static_cast<size_t>(s.head_dim);
  const std::vector<double> k = stored(data.k, dim, s.dtype);
  const std::vector<double> v = stored(data.v, dim, s.dtype);
  for (int t = 0; t < s.queries; ++t) {
    for (int head = 0; head < s.heads(); ++head) {
      const float* q = &data.q[static_cast<size_t>(t) * s.q_size() + static_cast<size_t>(head) * dim];
      const size_t kv = static_cast<size_t>(head / s.group) * dim;
      const auto visible = static_cast<size_t>(s.positions - s.queries + t + 1);
      std::vector<double> scores(visible);
      for (size_t p = 0; p < visible; ++p) {
        for (size_t i = 0; i < dim; ++i) scores[p] += static_cast<double>(q[i]) * k[p * s.kv_size() + kv + i];
        const auto cap = static_cast<double>(s.soft_cap);
        if (cap > 0) scores[p] = cap * std::tanh(scores[p] / cap);
        if (s.window > 0 && p + static_cast<size_t>(s.window) < visible) scores[p] = -HUGE_VAL;
      }
      const double most = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - most);
      for (size_t i = 0; i < dim; ++i) {
        double mix = 0;
        for (size_t p = 0; p < visible; ++p) mix += scores[p] / sum * v[p * s.kv_size() + kv + i];
        out.push_back(mix);
      }
    }
  }
  return out;
}

// Odd sizes, borders of blocks (64) and splits (512).
std::vector<Setup> setups() {
  std::vector<Setup> all;
  for (const KvDtype dtype : {KvDtype::f16, KvDtype::f32, KvDtype::q8_0}) {
    for (const int head_dim : {16, 64, 72, 80, 128}) {
      for (const int group : {1, 2, 3, 8}) all.push_back({head_dim, group, 70 + group, 1 + group, dtype});
    }
    for (const int positions : {1, 63, 64, 65, 511, 512, 513, 1100})
      all.push_back({64, 3, positions, std::min(positions, 5), dtype});
    all.push_back({64, 3, 100, 4, dtype, 300.0F});  // one position takes all
    all.push_back({64, 3, 100, 4, dtype, 0.0F});    // all alike
    // Windows of one token, within a block, over blocks and over splits; more tokens than the window.
    for (const int window : {1, 5, 64, 65, 200, 600, 5000}) {
      all.push_back({64, 3, 1100, 9, dtype, 1.0F, window});
      all.push_back({64, 2, 130, 70, dtype, 1.0F, window, 2.0F});
    }
    all.push_back({80, 2, 1040, 40, dtype, 1.0F, 20});  // over the border of a split
    all.push_back({64, 3, 100, 4, dtype, 3.0F, 0, 20.0F});
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
      for (int t = 0; t < s.queries; t += kFewerPasses ? 3 : 1) {
        const auto begin = together.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(t) * s.q_size());
        CHECK(
            same_bits(attend(table, s, data, blocks, t, 1), {begin, begin + static_cast<std::ptrdiff_t>(s.q_size())}));
      }
    });
  }
}

TEST_CASE("keys and values beyond float16's range are stored as its largest") {
  Setup s{16, 1, 3, 1, KvDtype::f16};
  Data data(s);
  std::fill(data.v.begin(), data.v.end(), 1e6F);
  for_each_table([&](const cpu::KernelTable& table) {
    for (const float x : attend(table, s, data, store(table, s, data), 0, 1)) CHECK(x == doctest::Approx(65504.0F));
  });
  // Two such keys are alike, so that their values count the same.
  s.positions = 2;
  data.q.assign(16, 1.0F);
  std::fill(data.k.begin(), data.k.begin() + 32, 1e6F);
  std::fill(data.k.begin() + 32, data.k.begin() + 64, 2e6F);
  for (size_t i = 0; i < 64; ++i) data.v[i] = i < 32 ? 1.0F : 2.0F;
  for_each_table([&](const cpu::KernelTable& table) {
    for (const float x : attend(table, s, data, store(table, s, data), 0, 1)) CHECK(x == doctest::Approx(1.5F));
  });
}

TEST_CASE("a cache of 8-bit integers keeps what cannot be scaled finite") {
  Setup s{48, 1, 2, 1, KvDtype::q8_0};
  Data data(s);
  std::fill(data.q.begin(), data.q.end(), 0.0F);  // both positions count the same
  std::fill(data.v.begin(), data.v.end(), 0.0F);
  data.v[0] = 1e30F;    // beyond 127 · 65504
  data.v[40] = 1e-30F;  // below the least scale
  for_each_table([&](const cpu::KernelTable& table) {
    const auto out = attend(table, s, data, store(table, s, data), 0, 1);
    CHECK(out[0] == doctest::Approx(127.0F * 65504.0F / 2));
    for (size_t i = 1; i < 48; ++i) CHECK(out[i] == 0.0F);
  });
}
