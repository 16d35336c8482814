#include "engine/step_clock.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace emelex {
namespace {

// A machine on which a step takes a time of its own, and tokens of prompts the same each.
double took(int generated, int prompt_tokens) { return 0.100 + 0.010 * generated + 0.005 * prompt_tokens; }

TEST_CASE("steps with prompts take twice the time of those without, once it is known") {
  StepClock clock(0, 512);
  CHECK(clock.prompt_tokens(0) == 512);
  CHECK(clock.prompt_tokens(4) == 0);  // first it is measured
  clock.took(took(4, 0), 4, 0);
  for (int step = 0; step < 50; ++step) {
    const int tokens = clock.prompt_tokens(4);
    CHECK(tokens > 0);
    clock.took(took(4, tokens), 4, tokens);
    if (step > 10) CHECK(took(4, tokens) == doctest::Approx(2 * took(4, 0)).epsilon(0.05));
  }
  // Of other numbers of texts what is known is a guess.
  CHECK(clock.prompt_tokens(6) > 0);
}

TEST_CASE("short steps leave prompts a tenth of a second") {
  StepClock clock(0, 512);
  clock.took(0.002, 1, 0);
  int tokens = 0;
  for (int step = 0; step < 50; ++step) {
    tokens = clock.prompt_tokens(1);
    clock.took(0.002 + 0.0005 * tokens, 1, tokens);
  }
  CHECK(tokens == doctest::Approx(196).epsilon(0.05));
}

TEST_CASE("a budget in seconds is kept, and leaves prompts at least a little") {
  StepClock clock(1, 64);
  clock.took(took(8, 0), 8, 0);
  int most = 0;
  for (int step = 0; step < 50; ++step) {
    const int tokens = clock.prompt_tokens(8);
    clock.took(took(8, tokens), 8, tokens);
    most = std::max(most, tokens);
    CHECK(took(8, tokens) < 1.1);
  }
  CHECK(most == 64);
  StepClock tight(0.01, 64);
  tight.took(took(8, 0), 8, 0);
  tight.took(took(8, 16), 8, 16);
  CHECK(tight.prompt_tokens(8) > 0);
}

}  // namespace
}  // namespace emelex
