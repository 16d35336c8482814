#include "sampling/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/expect_error.h"

namespace emelex {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kMost = std::numeric_limits<float>::max();

// Nothing is cut off.
SamplingOptions plain(float temperature = 1.0F) {
  SamplingOptions options;
  options.top_k = 0;
  options.top_p = 1.0F;
  options.min_p = 0.0F;
  options.temperature = temperature;
  options.seed = 7;
  return options;
}

TokenId sample(const SamplingOptions& options, std::vector<float> logits, std::vector<TokenId> recent = {}) {
  return Sampler(options).sample(logits, recent);
}

// The tokens that come up in many draws.
std::set<TokenId> drawn(const SamplingOptions& options, const std::vector<float>& logits,
                        const std::vector<TokenId>& recent = {}) {
  Sampler sampler(options);
  std::set<TokenId> ids;
  for (int i = 0; i < 2000; ++i) {
    std::vector<float> copy = logits;
    ids.insert(sampler.sample(copy, recent));
  }
  return ids;
}

using Ids = std::set<TokenId>;

TEST_CASE("a temperature of 0 takes the likeliest token, the lowest id among equals") {
  CHECK(sample(plain(0), {1, 5, 2, 5, 5}) == 1);
  CHECK(sample(plain(0), {-3, -1, -2}) == 1);
  CHECK(sample(plain(0), {0, 0, 0}) == 0);
  CHECK(sample(plain(0), {-0.0F, 0.0F}) == 0);
  CHECK(sample(plain(0), {4}) == 0);
}

TEST_CASE("a temperature of 0 wins over all other fields but the penalty") {
  SamplingOptions options = plain(0);
  options.top_k = 3;
  options.top_p = 0.1F;
  options.min_p = 1.0F;
  CHECK(drawn(options, {1, 2, 3, 4}) == Ids{3});
  options.repeat_penalty = 2;
  CHECK(sample(options, {1, 2, 3, 4}, {3}) == 2);
}

TEST_CASE("top-k keeps the k likeliest, lower ids first among equals") {
  SamplingOptions options = plain();
  const std::vector<float> logits = {1.0F, 2.0F, 2.0F, 0.5F, 2.0F};
  for (const auto& [k, ids] : std::vector<std::pair<int, Ids>>{{1, {1}},
                                                               {2, {1, 2}},
                                                               {3, {1, 2, 4}},
                                                               {4, {0, 1, 2, 4}},
                                                               {5, {0, 1, 2, 3, 4}},
                                                               {6, {0, 1, 2, 3, 4}},
                                                               {std::numeric_limits<int>::max(), {0, 1, 2, 3, 4}},
                                                               {0, {0, 1, 2, 3, 4}}}) {
    CAPTURE(k);
    options.top_k = k;
    CHECK(drawn(options, logits) == ids);
  }
}

TEST_CASE("top-p keeps the fewest tokens that reach it, and always one") {
  SamplingOptions options = plain();
  const std::vector<float> logits = {std::log(0.2F), std::log(0.5F), std::log(0.3F)};
  for (const auto& [p, ids] : std::vector<std::pair<float, Ids>>{
           {1e-30F, {1}}, {0.49F, {1}}, {0.51F, {1, 2}}, {0.79F, {1, 2}}, {0.81F, {0, 1, 2}}, {1.0F, {0, 1, 2}}}) {
    CAPTURE(p);
    options.top_p = p;
    CHECK(drawn(options, logits) == ids);
  }
}

TEST_CASE("min-p drops what is less likely than its part of the likeliest") {
  SamplingOptions options = plain();
  const std::vector<float> logits = {std::log(0.2F), std::log(0.5F), std::log(0.3F)};
  for (const auto& [p, ids] : std::vector<std::pair<float, Ids>>{
           {0.0F, {0, 1, 2}}, {0.39F, {0, 1, 2}}, {0.41F, {1, 2}}, {0.59F, {1, 2}}, {0.61F, {1}}, {1.0F, {1}}}) {
    CAPTURE(p);
    options.min_p = p;
    CHECK(drawn(options, logits) == ids);
  }
  options.min_p = 1.0F;
  CHECK(drawn(options, {2, 2, 1}) == Ids{0, 1});  // equals of the likeliest stay
}

TEST_CASE("the cuts do not depend on the temperature, which comes last") {
  SamplingOptions options = plain();
  options.top_p = 0.75F;  // {1, 2} at temperature 1
  for (const float temperature : {0.6F, 1.0F, 5.0F, 1000.0F}) {
    CAPTURE(temperature);
    options.temperature = temperature;
    CHECK(drawn(options, {std::log(0.2F), std::log(0.5F), std::log(0.3F)}) == Ids{1, 2});
  }
}

TEST_CASE("the repeat penalty makes recent tokens less likely, whatever their sign") {
  SamplingOptions options = plain(0);
  options.repeat_penalty = 2;
  CHECK(sample(options, {4, 3, 1}, {0}) == 1);
  CHECK(sample(options, {4, 3, 1}, {1}) == 0);
  CHECK(sample(options, {-1, -1.5F, -3}, {0}) == 1);
  CHECK(sample(options, {4, 3, 1}, {0, 0, 0}) == 1);            // once, however often it came: 2, not 0.5
  CHECK(sample(options, {5, 2.4F, 1}, {0, 0, 0, 0}) == 0);      // 2.5
  CHECK(sample(options, {4, 3, 1}, {0, 1, 2}) == 0);            // all the same
  CHECK(sample(options, {4, 3, 1}, {-1, 3, 2000000000}) == 0);  // ids that are none
  options.repeat_penalty = 0.5F;                                // below 1 repeats are wanted
  CHECK(sample(options, {4, 3, 1}, {1}) == 1);
}

TEST_CASE("only the last tokens are penalized") {
  SamplingOptions options = plain(0);
  options.repeat_penalty = 2;
  options.repeat_window = 2;
  CHECK(sample(options, {4, 3, 1}, {0, 2, 2}) == 0);
  CHECK(sample(options, {4, 3, 1}, {2, 0, 2}) == 1);
  CHECK(sample(options, {4, 3, 1}, {0}) == 1);
  options.repeat_window = 0;
  CHECK(sample(options, {4, 3, 1}, {0, 0}) == 0);
  options.repeat_window = std::numeric_limits<int>::max();
  CHECK(sample(options, {4, 3, 1}, {0, 2, 2}) == 1);
}

TEST_CASE("tokens of NaN or -infinity are never drawn") {
  for (const float temperature : {0.0F, 0.5F, 1.0F, 1e30F}) {
    CAPTURE(temperature);
    CHECK(drawn(plain(temperature), {kNan, -kInfinity, 1, kNan}) == Ids{2});
    CHECK(drawn(plain(temperature), {kNan, -kInfinity, -kMost, kNan}) == Ids{2});
  }
  SamplingOptions options = plain();
  options.top_k = 3;
  CHECK(drawn(options, {kNan, 1, -kInfinity, 2}) == Ids{1, 3});
  options.repeat_penalty = 2;
  CHECK(drawn(options, {kNan, 1, -kInfinity, 2}, {0, 1, 2, 3}) == Ids{1, 3});
}

TEST_CASE("a logit of +infinity is certain, and several share the draws") {
  for (const float top_p : {0.5F, 0.9F, 1.0F}) {
    CAPTURE(top_p);
    SamplingOptions options = plain();
    options.top_p = top_p;
    CHECK(drawn(options, {1, 2, kInfinity, 3}) == Ids{2});
    options.temperature = 0;
    CHECK(drawn(options, {1, 2, kInfinity, 3}) == Ids{2});
  }
  CHECK(drawn(plain(), {1, kInfinity, kInfinity, kNan}) == Ids{1, 2});
  CHECK(drawn(plain(0), {1, kInfinity, kInfinity, kMost}) == Ids{1});
}

TEST_CASE("without any possible token there is an error, not some token") {
  for (const float temperature : {0.0F, 1.0F}) {
    for (const auto& logits : std::vector<std::vector<float>>{{kNan, kNan}, {-kInfinity}, {-kInfinity, kNan}, {}}) {
      expect_error(ErrorCode::corrupt_file, {"[sampling]", "NaN"}, [&] { sample(plain(temperature), logits); });
    }
  }
}

TEST_CASE("a very low temperature is greedy, a very high one takes all alike") {
  const std::vector<float> logits = {1, 3, 2, 2.9F};
  for (const float temperature : {1e-3F, 1e-30F, std::numeric_limits<float>::denorm_min()}) {
    CAPTURE(temperature);
    CHECK(drawn(plain(temperature), logits) == Ids{1});
  }
  CHECK(drawn(plain(kMost), logits) == Ids{0, 1, 2, 3});
  CHECK(drawn(plain(kMost), {0, 1e4F, -1e4F, 5}) == Ids{0, 1, 2, 3});
}

TEST_CASE("numbers at the ends of their range do not confuse it") {
  CHECK(drawn(plain(), {kMost, -kMost, 0}) == Ids{0});
  CHECK(drawn(plain(), {kMost, kMost, 0}) == Ids{0, 1});
  SamplingOptions options = plain();
  options.repeat_penalty = 1e-38F;  // divides beyond the range
  CHECK(drawn(options, {1e10F, 2, 1}, {0}) == Ids{0});
  options.repeat_penalty = 1e38F;
  CHECK(drawn(options, {-1e10F, 2, 1}, {0}) == Ids{1, 2});
}

TEST_CASE("the same seed draws the same tokens, another seed others, no seed new ones each time") {
  const std::vector<float> logits(50, 1.0F);
  const auto draws = [&](std::optional<uint64_t> seed) {
    SamplingOptions options = plain();
    options.seed = seed;
    Sampler sampler(options);
    std::vector<TokenId> ids;
    for (int i = 0; i < 40; ++i) {
      std::vector<float> copy = logits;
      ids.push_back(sampler.sample(copy, {}));
    }
    return ids;
  };
  CHECK(draws(1) == draws(1));
  CHECK(draws(0) == draws(0));
  CHECK(draws(std::numeric_limits<uint64_t>::max()) == draws(std::numeric_limits<uint64_t>::max()));
  CHECK(draws(1) != draws(2));
  CHECK(draws(std::nullopt) != draws(std::nullopt));
  // Fixed by the C++ standard's mt19937_64, so the same on every system: 50 · draw / 2^64.
  std::mt19937_64 random(1);
  for (const TokenId id : draws(1))
    CHECK(id == static_cast<TokenId>(static_cast<double>(random() >> 11) * 0x1p-53 * 50));
}

}  // namespace
}  // namespace emelex
