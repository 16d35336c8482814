#include "text/vocabulary/hash.h"

#include <random>

namespace emelex {

uint64_t hash_seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return (static_cast<uint64_t>(device()) << 32U) | device();
  }();
  return seed;
}

}  // namespace emelex
