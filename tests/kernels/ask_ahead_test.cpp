#include "kernels/cpu/ask_ahead.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

namespace emelex::cpu {
namespace {

using std::chrono::microseconds;

// Lets it try until it is settled; times[d] are of the products that ask d bytes ahead, one after another.
AskAhead settled_after(std::map<size_t, std::vector<int>> times) {
  AskAhead ask;
  std::map<size_t, size_t> tried;
  while (!ask.settled()) {
    const size_t distance = ask.distance();
    const auto& of_distance = times.at(distance);
    ask.took(microseconds(of_distance.at(tried[distance]++ % of_distance.size())));
  }
  for (const auto& [distance, of_distance] : times) CHECK(tried[distance] >= of_distance.size());
  return ask;
}

TEST_CASE("a product stays with the distance that was quickest at its best") {
  CHECK(settled_after({{0, {9, 8, 9, 9}}, {4096, {7, 30, 30, 30}}, {8192, {8, 8, 8, 8}}}).distance() == 4096);
  CHECK(settled_after({{0, {9}}, {4096, {9}}, {8192, {9, 9, 9, 3}}}).distance() == 8192);
  CHECK(settled_after({{0, {2, 50}}, {4096, {3}}, {8192, {4}}}).distance() == 0);
}

TEST_CASE("where asking makes no difference a product does not ask") {
  CHECK(settled_after({{0, {5}}, {4096, {5}}, {8192, {5}}}).distance() == 0);
}

}  // namespace
}  // namespace emelex::cpu
