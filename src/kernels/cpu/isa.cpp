#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/kernel_table.h"
#include "quant/dequantize.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace emelex::cpu {
namespace {

#if defined(__aarch64__)
struct ArmFeatures {
  bool dot_product;  // FEAT_DotProd
  bool i8mm;         // FEAT_I8MM
};
#if defined(__APPLE__)
bool has_feature(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}
ArmFeatures arm_features() {
  return {has_feature("hw.optional.arm.FEAT_DotProd"), has_feature("hw.optional.arm.FEAT_I8MM")};
}
#elif defined(__linux__)
ArmFeatures arm_features() {
  // As <asm/hwcap.h> has them, for headers that are older than the machine.
  constexpr unsigned long kAsimdDp = 1UL << 20U;
  constexpr unsigned long kI8mm = 1UL << 13U;
  return {(getauxval(AT_HWCAP) & kAsimdDp) != 0, (getauxval(AT_HWCAP2) & kI8mm) != 0};
}
#else
ArmFeatures arm_features() { return {}; }
#endif
#endif

#if defined(__x86_64__)
const KernelTable& avx512_bf16_table() {
  static const KernelTable table = [] {
    KernelTable with_bf16 = kAvx512Table;
    with_bf16.name = "avx512_bf16";
    with_bf16.bf16 = kAvx512Bf16Kernels;
    return with_bf16;
  }();
  return table;
}
#endif

struct Available {
  const KernelTable* tables[4];
  int count = 0;

  Available() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vnni");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) tables[count++] = &avx512_bf16_table();
    if (avx512) tables[count++] = &kAvx512Table;
    if (avx2) tables[count++] = &kAvx2Table;
#elif defined(__aarch64__)
    const ArmFeatures features = arm_features();
    if (features.dot_product && features.i8mm) tables[count++] = &kNeonI8mmTable;
    if (features.dot_product) tables[count++] = &kNeonDotprodTable;
#endif
    tables[count++] = &kScalarTable;
  }
};

const Available& available() {
  static const Available all;
  return all;
}

const KernelTable& choose() {
  const Available& all = available();
  const char* wanted = std::getenv("EMELEX_ISA");
  if (wanted == nullptr || *wanted == '\0') return *all.tables[0];
  std::string names;
  for (int i = 0; i < all.count; ++i) {
    if (std::strcmp(all.tables[i]->name, wanted) == 0) return *all.tables[i];
    names += std::string(i == 0 ? "" : ", ") + all.tables[i]->name;
  }
  throw Error(ErrorCode::invalid_argument,
              str_cat("[kernels] expected EMELEX_ISA to be one that this CPU has (", names, "), got ", wanted));
}

}  // namespace

const KernelTable& kernel_table() {
  static const KernelTable& chosen = choose();
  return chosen;
}

const KernelTable* const* available_tables(int* count) {
  *count = available().count;
  return available().tables;
}

QuantizedActivations QuantizedActivations::over(std::byte* memory, int tokens, int columns) {
  const size_t n = static_cast<size_t>(tokens) * static_cast<size_t>(columns);
  const size_t blocks = n / kActivationBlock;
  auto* floats = reinterpret_cast<float*>(memory);
  auto* int_sums = reinterpret_cast<int32_t*>(floats + 5 * blocks);
  auto* values = reinterpret_cast<int8_t*>(int_sums + 3 * blocks);
  auto* wide = reinterpret_cast<uint8_t*>(values + 2 * n);
  return {floats,
          floats + blocks,
          floats + 2 * blocks,
          floats + 3 * blocks,
          int_sums,
          int_sums + blocks,
          values,
          values + n,
          wide,
          tokens,
          columns};
}

void dequantize_block(TensorType type, const uint8_t* block, float* out) {
  const TensorTypeInfo& layout = info(type);
  dequantize(type, {reinterpret_cast<const std::byte*>(block), static_cast<size_t>(layout.block_bytes)},
             {out, static_cast<size_t>(layout.block_size)});
}

void dequantize_mlx_row(const MatmulArgs& args, int row, float* out) {
  const auto rows = static_cast<size_t>(row);
  const auto bytes_of = [&](const std::byte* all, size_t bytes) { return std::span(all + rows * bytes, bytes); };
  std::span<const std::byte> biases;
  if (args.mlx.biases != nullptr) biases = bytes_of(args.mlx.biases, args.mlx.row_bytes);
  dequantize_mlx(args.mlx.format, bytes_of(args.weights, args.row_bytes), bytes_of(args.mlx.scales, args.mlx.row_bytes),
                 biases, {out, static_cast<size_t>(args.columns)});
}

size_t KvLayout::head_bytes() const {
  const auto dim = static_cast<size_t>(padded_dim());
  switch (dtype) {
    case KvDtype::f16:
      return kBlockTokens * dim * sizeof(uint16_t);
    case KvDtype::f32:
      return kBlockTokens * dim * sizeof(float);
    case KvDtype::q8_0:
      return kBlockTokens * (dim + static_cast<size_t>(scales()) * sizeof(uint16_t));
  }
  __builtin_unreachable();
}

}  // namespace emelex::cpu
