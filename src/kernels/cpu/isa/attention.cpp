#include "kernels/cpu/simd/attention.h"

#include "kernels/cpu/isa/this_set.h"
#include "kernels/cpu/simd/kv_formats.h"

namespace emelex::cpu {
namespace {

template <KvDtype kDtype, class Kv>
constexpr void add_cache(AttentionKernels& kernels) {
  kernels.store_kv[static_cast<int>(kDtype)] = Attention<Set, Kv>::store_token;
  kernels.attend_split[static_cast<int>(kDtype)] = Attention<Set, Kv>::split;
}

constexpr AttentionKernels attention() {
  AttentionKernels kernels{};
  add_cache<KvDtype::f16, PlainKv<Set, uint16_t>>(kernels);
  add_cache<KvDtype::f32, PlainKv<Set, float>>(kernels);
  add_cache<KvDtype::q8_0, ScaledKv<Set>>(kernels);
  kernels.attend_merge = attend_merge<Set>;
  kernels.attend_finish = attend_finish<Set>;
  return kernels;
}

}  // namespace

constinit const AttentionKernels EMELEX_ISA::kAttention = attention();

}  // namespace emelex::cpu
