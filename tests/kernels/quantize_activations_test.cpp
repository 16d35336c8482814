// Activations rounded to integers: docs/decisions/0002-activation-rounding.md.
#include <algorithm>

#include "kernels/kernel_test.h"

using namespace emelex;
using namespace emelex::test;

namespace {

struct Rounded {
  std::vector<float> memory;
  cpu::QuantizedActivations q;

  Rounded(const cpu::KernelTable& table, const std::vector<std::vector<float>>& rows)
      : memory(cpu::QuantizedActivations::bytes(static_cast<int>(rows.size()), static_cast<int>(rows[0].size())) / 4 +
               1),
        q(cpu::QuantizedActivations::over(reinterpret_cast<std::byte*>(memory.data()), static_cast<int>(rows.size()),
                                          static_cast<int>(rows[0].size()), table.max_tile)) {
    for (size_t t = 0; t < rows.size(); ++t) table.quantize_activations(rows[t].data(), static_cast<int>(t), q);
  }

  // Where block b of a token lies in the arrays of one number a block.
  size_t at(const cpu::KernelTable& table, int token, int b) const {
    const cpu::TokenTile tile = cpu::token_tile(token, q.tokens, table.max_tile);
    return static_cast<size_t>(tile.first * (q.columns / 32) + b * tile.size + token - tile.first);
  }
};

}  // namespace

TEST_CASE("a value is off by half a step at most, and sums are those of the rounded values") {
  for_each_table([](const cpu::KernelTable& table) {
    for (const int columns : {32, 96, 576}) {
      const auto rows = activation_rows(columns, 1);
      const Rounded rounded(table, rows);
      const auto& q = rounded.q;
      for (int t = 0; t < q.tokens; ++t) {
        CAPTURE(t);
        for (int b = 0; b < columns / 32; ++b) {
          const size_t at = rounded.at(table, t, b);
          const size_t tile_size = static_cast<size_t>(cpu::token_tile(t, q.tokens, table.max_tile).size);
          const size_t in_tile = static_cast<size_t>(t - cpu::token_tile(t, q.tokens, table.max_tile).first);
          int sums[2] = {0, 0};
          for (size_t i = 0; i < 32; ++i) {
            const int value = 256 * q.high[at * 32 + i] + q.values[at * 32 + i];
            sums[i / 16] += value;
            const float x = rows[static_cast<size_t>(t)][static_cast<size_t>(b) * 32 + i];
            const double back = static_cast<double>(q.centers[at]) + static_cast<double>(q.scales[at]) * value;
            // Half a step, and what float arithmetic on x itself may lose. A range below 1e-30 counts as none.
            const double room =
                0.5001 * static_cast<double>(q.scales[at]) + 2e-7 * static_cast<double>(std::fabs(x)) + 2e-30;
            CHECK(std::fabs(back - static_cast<double>(x)) <= room);
          }
          CHECK(q.int_sums[at] == sums[0] + sums[1]);
          CHECK(q.sums[at] == q.scales[at] * static_cast<float>(sums[0] + sums[1]));
          CHECK(q.int_half_sums[2 * at - in_tile] == sums[0]);
          CHECK(q.int_half_sums[2 * at - in_tile + tile_size] == sums[1]);
          CHECK(q.half_sums[2 * at - in_tile] == q.scales[at] * static_cast<float>(sums[0]));
          CHECK(q.half_sums[2 * at - in_tile + tile_size] == q.scales[at] * static_cast<float>(sums[1]));
        }
      }
    }
  });
}

TEST_CASE("a block is wide exactly when its range is 1.5 times the root mean square of the token's ranges") {
  for_each_table([](const cpu::KernelTable& table) {
    int seen = 0;
    const auto rows = activation_rows(576, 2);
    const Rounded rounded(table, rows);
    for (int t = 0; t < rounded.q.tokens; ++t) {
      std::vector<double> halves;
      double squares = 0;
      for (size_t b = 0; b < 18; ++b) {
        const float* x = rows[static_cast<size_t>(t)].data() + 32 * b;
        const auto [lowest, highest] = std::minmax_element(x, x + 32);
        halves.push_back(static_cast<double>(0.5F * *highest - 0.5F * *lowest));
        squares += halves.back() * halves.back();
      }
      for (int b = 0; b < 18; ++b) {
        const bool wide = halves[static_cast<size_t>(b)] > 1.5 * std::sqrt(squares / 18);
        CHECK((rounded.q.wide[rounded.at(table, t, b)] != 0) == wide);
        seen += wide ? 1 : 0;
      }
    }
    CHECK(seen > 0);
  });
}

TEST_CASE("every instruction set rounds to the same values") {
  const auto rows = activation_rows(96, 3);
  const auto dump = [&](const cpu::KernelTable& table) {
    const Rounded rounded(table, rows);
    std::vector<float> all;
    for (int t = 0; t < rounded.q.tokens; ++t) {
      for (int b = 0; b < 3; ++b) {
        const size_t at = rounded.at(table, t, b);
        all.insert(all.end(), {rounded.q.scales[at], rounded.q.centers[at], rounded.q.sums[at]});
        for (size_t i = 0; i < 32; ++i)
          all.push_back(static_cast<float>(256 * rounded.q.high[at * 32 + i] + rounded.q.values[at * 32 + i]));
      }
    }
    return all;
  };
  const auto expected = dump(scalar_table());
  for_each_table([&](const cpu::KernelTable& table) { CHECK(same_bits(dump(table), expected)); });
}
