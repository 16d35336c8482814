#include "kernels/cpu/routing.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

using namespace emelex;
using namespace emelex::cpu;

namespace {

// The experts of a token, in the order in which they are summed.
std::vector<int> experts_of(const Routing& routing, int token, int n_used) {
  std::vector<int> experts;
  for (int i = token * n_used; i < (token + 1) * n_used; ++i) {
    const int row = routing.rows[static_cast<size_t>(i)];
    CHECK(routing.tokens[static_cast<size_t>(row)] == token);
    for (const auto& group : routing.groups) {
      if (row >= group.first && row < group.first + group.count) experts.push_back(group.expert);
    }
  }
  return experts;
}

}  // namespace

TEST_CASE("a token goes to the experts with its highest scores, and they to no other token") {
  const float scores[] = {0, 3, 1, 2, 9, -1, 8, 7, 0, 3, 1, 2};  // of three tokens
  const Routing routing = route_tokens({2}, scores, 3, 4);
  CHECK(experts_of(routing, 0, 2) == std::vector{1, 3});
  CHECK(experts_of(routing, 1, 2) == std::vector{0, 2});
  CHECK(experts_of(routing, 2, 2) == std::vector{1, 3});
  int rows = 0;
  for (const auto& group : routing.groups) {
    CHECK(group.first == rows);
    CHECK(group.count == (group.expert % 2 == 1 ? 2 : 1));
    rows += group.count;
  }
  CHECK(rows == 6);
}

TEST_CASE("weights are a softmax of the scores of those used, or of all") {
  const float scores[] = {std::log(1.0F), std::log(5.0F), std::log(3.0F), std::log(1.0F)};
  const Routing normalized = route_tokens({2, true}, scores, 1, 4);
  CHECK(normalized.weights[0] == doctest::Approx(5.0 / 8));
  CHECK(normalized.weights[1] == doctest::Approx(3.0 / 8));
  const Routing of_all = route_tokens({2, false}, scores, 1, 4);
  CHECK(of_all.weights[0] == doctest::Approx(0.5));
  CHECK(of_all.weights[1] == doctest::Approx(0.3));
}

TEST_CASE("of equal scores the lower numbers are taken, and what is no number comes last") {
  const float scores[] = {NAN, 1, NAN, 1, 1, 0, NAN, NAN, NAN, NAN};
  const Routing routing = route_tokens({2}, scores, 2, 5);
  CHECK(experts_of(routing, 0, 2) == std::vector{1, 3});
  CHECK(experts_of(routing, 1, 2) == std::vector{0, 1});
  CHECK(std::isnan(routing.weights[3]));
}

TEST_CASE("with all experts used each computes every token") {
  const std::vector<float> scores(5 * 3, 0.25F);
  const Routing routing = route_tokens({3}, scores.data(), 5, 3);
  REQUIRE(routing.groups.size() == 3);
  for (const auto& group : routing.groups) CHECK(group.count == 5);
  for (const float weight : routing.weights) CHECK(weight == doctest::Approx(1.0 / 3));
}
