#pragma once

#include <cstdio>
#include <cstdlib>

namespace emelex::fuzz {

// What does not hold ends the program, which both libFuzzer and the ordinary tests notice.
inline void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: not true: %s\n", what);
  std::abort();
}

}  // namespace emelex::fuzz
