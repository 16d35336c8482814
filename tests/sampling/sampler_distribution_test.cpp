#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>

#include "sampling/reference_sampler.h"
#include "sampling/sampler.h"

namespace emelex {
namespace {

constexpr int kDraws = 20000;

struct Case {
  std::string name;
  SamplingOptions options;
};

std::vector<Case> cases() {
  SamplingOptions off;
  off.repeat_penalty = 1.0F;
  off.top_k = 0;
  off.top_p = 1.0F;
  off.min_p = 0.0F;
  off.temperature = 1.0F;
  std::vector<Case> all;
  const auto add = [&](const char* name, const auto& change) {
    Case c{name, off};
    change(c.options);
    all.push_back(c);
  };
  add("all off", [](auto&) {});
  add("temperature 0.3", [](auto& o) { o.temperature = 0.3F; });
  add("temperature 1.7", [](auto& o) { o.temperature = 1.7F; });
  add("top-k 5", [](auto& o) { o.top_k = 5; });
  add("top-k 1000", [](auto& o) { o.top_k = 1000; });
  add("top-p 0.7", [](auto& o) { o.top_p = 0.7F; });
  add("min-p 0.1", [](auto& o) { o.min_p = 0.1F; });
  add("penalty 1.5", [](auto& o) { o.repeat_penalty = 1.5F; });
  add("penalty 1.5 of the last 2", [](auto& o) {
    o.repeat_penalty = 1.5F;
    o.repeat_window = 2;
  });
  add("penalty 0.7", [](auto& o) { o.repeat_penalty = 0.7F; });
  add("the defaults", [](auto& o) { o = SamplingOptions(); });
  add("everything", [](auto& o) {
    o = SamplingOptions();
    o.repeat_penalty = 1.3F;
    o.top_k = 9;
    o.top_p = 0.95F;
    o.min_p = 0.02F;
    o.temperature = 1.4F;
  });
  return all;
}

// Pearson's statistic; tokens that are expected less than five times share a cell, as the test needs.
void check_distribution(const std::vector<int>& counts, const std::vector<double>& expected) {
  double statistic = 0;
  double rare = 0;
  int rare_count = 0;
  int cells = 0;
  const auto add_cell = [&](double e, int count) {
    statistic += (count - e) * (count - e) / e;
    ++cells;
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    const double e = expected[i] * kDraws;
    if (expected[i] == 0) {
      CHECK_MESSAGE(counts[i] == 0, "token " << i << " was cut off and drawn");
    } else if (e < 5) {
      rare += e;
      rare_count += counts[i];
    } else {
      add_cell(e, counts[i]);
    }
  }
  if (rare >= 5) add_cell(rare, rare_count);
  // Of mean n and variance 2n for n degrees of freedom; five deviations come up once in thousands.
  const double freedom = cells - 1;
  if (freedom == 0) return;  // all draws are in one cell
  CHECK_MESSAGE(statistic <= freedom + 5 * std::sqrt(2 * freedom),
                "chi-square " << statistic << " of " << cells << " cells");
}

TEST_CASE("tokens are drawn as often as an independent computation expects") {
  std::mt19937 random(20260131);
  std::normal_distribution<float> normal(0.0F, 1.5F);
  for (const int vocab : {2, 20, 100}) {
    std::vector<float> logits(static_cast<size_t>(vocab));
    for (float& x : logits) x = normal(random);
    const std::vector<TokenId> recent = {1, 0, vocab / 2, vocab - 1, 1};
    for (Case& c : cases()) {
      CAPTURE(vocab);
      CAPTURE(c.name);
      const auto expected = test::expected_probabilities(logits, recent, c.options);
      c.options.seed = random();
      Sampler sampler(c.options);
      std::vector<int> counts(logits.size());
      for (int i = 0; i < kDraws; ++i) {
        std::vector<float> copy = logits;
        ++counts[static_cast<size_t>(sampler.sample(copy, recent))];
      }
      check_distribution(counts, expected);
    }
  }
}

TEST_CASE("what is cut off in a large vocabulary is what an independent computation cuts off") {
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    std::vector<float> logits(500);
    for (float& x : logits) x = normal(random);
    SamplingOptions options;
    options.top_k = static_cast<int>(random() % 60);
    options.top_p = 0.05F * static_cast<float>(1 + random() % 20);
    options.min_p = 0.05F * static_cast<float>(random() % 10);
    options.temperature = 1e6F;  // all that are left are drawn alike
    options.seed = random();
    const auto expected = test::expected_probabilities(logits, {}, options);
    Sampler sampler(options);
    std::vector<bool> seen(logits.size());
    for (int i = 0; i < 10000; ++i) {
      std::vector<float> copy = logits;
      seen[static_cast<size_t>(sampler.sample(copy, {}))] = true;
    }
    for (size_t i = 0; i < logits.size(); ++i) CHECK(seen[i] == (expected[i] > 0));
  }
}

}  // namespace
}  // namespace emelex
