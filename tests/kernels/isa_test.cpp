// Which instruction sets a CPU is given.
#include "kernels/cpu/isa.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace emelex::cpu;

namespace {

bool offers(CpuFeatures features, const std::string& name) {
  for (const KernelTable* table : tables_for(features)) {
    if (table->name == name) return true;
  }
  return false;
}

struct Needs {
  const char* name;
  CpuFeatures needed;
};

// Those of this build.
const std::vector<Needs> kSets = {
#if defined(EMELEX_HAS_avx2)
    {"avx2", kAvx2Needs},
#endif
#if defined(EMELEX_HAS_avx512)
    {"avx512", kAvx512Needs},
#endif
#if defined(EMELEX_HAS_avx512_bf16)
    {"avx512_bf16", kAvx512Bf16Needs},
#endif
#if defined(EMELEX_HAS_avx512_amx)
    {"avx512_amx", kAvx512AmxNeeds},
#endif
#if defined(EMELEX_HAS_neon_dotprod)
    {"neon_dotprod", kNeonDotprodNeeds},
#endif
#if defined(EMELEX_HAS_neon_i8mm)
    {"neon_i8mm", kNeonI8mmNeeds},
#endif
};

}  // namespace

TEST_CASE("an instruction set is offered to CPUs that have all that its code uses, and to no other") {
  CHECK(tables_for(~CpuFeatures{0}).size() == kSets.size() + 1);  // with scalar
  for (const auto& [name, needed] : kSets) {
    CAPTURE(name);
    CHECK(offers(needed, name));
    for (CpuFeatures bit = 1; bit != 0 && bit <= needed; bit <<= 1U) {
      if ((needed & bit) != 0) CHECK_FALSE(offers(needed & ~bit, name));
    }
  }
}

TEST_CASE("a CPU without any of them runs the scalar kernels") {
  CHECK(std::string(tables_for(0).front()->name) == "scalar");
  CHECK(tables_for(cpu_features()).front() != nullptr);
}
