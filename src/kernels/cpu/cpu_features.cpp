#include "kernels/cpu/cpu_features.h"

#include <cstddef>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace emelex::cpu {

#if defined(__x86_64__)

namespace {

// What CPUID says of a leaf, subleaf 0; zeros where the CPU has no such leaf.
struct Cpuid {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;

  explicit Cpuid(unsigned leaf) { __get_cpuid_count(leaf, 0, &a, &b, &c, &d); }
};

// Bits of CPUID that not every compiler's __builtin_cpu_supports knows: F16C is unknown to clang 14, AMX to more.
bool has_f16c() {
  constexpr unsigned kF16cBit = 1U << 29U;
  return (Cpuid(1).c & kF16cBit) != 0;
}

// What CPUID and XGETBV say.
bool has_amx() {
  constexpr unsigned kOsXsave = 1U << 27U;
  if ((Cpuid(1).c & kOsXsave) == 0) return false;
  constexpr unsigned kTileAndInt8 = 3U << 24U;
  if ((Cpuid(7).d & kTileAndInt8) != kTileAndInt8) return false;
  unsigned low = 0;
  unsigned high = 0;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3U << 17U;
  return (low & kTileState) == kTileState;
}

// Asks Linux for the registers of tiles, once: https://docs.kernel.org/arch/x86/xstate.html
bool amx_permitted() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM, for headers that are older than the machine
  constexpr long kTileData = 18;
  static const bool permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return permitted;
#else
  return false;
#endif
}

}  // namespace

bool amx_refused() { return has_amx() && !amx_permitted(); }

CpuFeatures cpu_features() {
  __builtin_cpu_init();
  const auto bit = [](int supported, CpuFeature feature) { return supported != 0 ? feature : CpuFeatures{0}; };
  return bit(__builtin_cpu_supports("avx2"), kAvx2) | bit(__builtin_cpu_supports("fma"), kFma) |
         bit(has_f16c() ? 1 : 0, kF16c) | bit(__builtin_cpu_supports("avx512f"), kAvx512F) |
         bit(__builtin_cpu_supports("avx512bw"), kAvx512Bw) | bit(__builtin_cpu_supports("avx512dq"), kAvx512Dq) |
         bit(__builtin_cpu_supports("avx512vl"), kAvx512Vl) | bit(__builtin_cpu_supports("avx512vnni"), kAvx512Vnni) |
         bit(__builtin_cpu_supports("avx512bf16"), kAvx512Bf16) |
         (has_amx() && amx_permitted() ? kAmxTile | kAmxInt8 : CpuFeatures{0});
}

#elif defined(__aarch64__) && defined(__APPLE__)

CpuFeatures cpu_features() {
  const auto bit = [](const char* name, CpuFeature feature) {
    int value = 0;
    size_t size = sizeof(value);
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0 ? feature : CpuFeatures{0};
  };
  return bit("hw.optional.arm.FEAT_DotProd", kNeonDotProduct) | bit("hw.optional.arm.FEAT_I8MM", kNeonI8mm);
}

#elif defined(__aarch64__) && defined(__linux__)

CpuFeatures cpu_features() {
  // As <asm/hwcap.h> has them, for headers that are older than the machine.
  constexpr unsigned long kAsimdDp = 1UL << 20U;
  constexpr unsigned long kI8mm = 1UL << 13U;
  CpuFeatures features = 0;
  if ((getauxval(AT_HWCAP) & kAsimdDp) != 0) features |= kNeonDotProduct;
  if ((getauxval(AT_HWCAP2) & kI8mm) != 0) features |= kNeonI8mm;
  return features;
}

#else

CpuFeatures cpu_features() { return 0; }

#endif

#if !defined(__x86_64__)
bool amx_refused() { return false; }
#endif

}  // namespace emelex::cpu
