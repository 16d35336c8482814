#include "kernels/cpu/isa.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cpu/isa/tables.h"

namespace emelex::cpu {
namespace {

// Those of `part` in the place of none.
void add(Int8Kernels& kernels, const Int8Kernels& part) {
  for (int type = 0; type < kTensorTypes; ++type) {
    if (part.int8_matmul[type] != nullptr) kernels.int8_matmul[type] = part.int8_matmul[type];
    if (part.pack[type] != nullptr) kernels.pack[type] = part.pack[type];
  }
}

KernelTable make_table(const KernelParts& parts) {
  KernelTable table{};
  table.name = parts.name;
  table.max_tile = parts.max_tile;
  table.packed_rows = parts.packed_rows;
  add(table, *parts.legacy_quants);
  add(table, *parts.k_quants);
  static_cast<MlxInt8Kernels&>(table) = *parts.mlx_quants;
  static_cast<FloatKernels&>(table) = *parts.float_products;
  static_cast<ElementwiseKernels&>(table) = *parts.elementwise;
  static_cast<AttentionKernels&>(table) = *parts.attention;
  return table;
}

// The table of a set that is compiled whole, made once.
template <const KernelParts& kParts>
const KernelTable& table_of() {
  static const KernelTable table = make_table(kParts);
  return table;
}

// CMakeLists.txt defines EMELEX_HAS_… for each set that the build has.
#if defined(EMELEX_HAS_avx512_bf16)
// A set that adds kernels to another's.
const KernelTable& avx512_bf16_table() {
  static const KernelTable table = [] {
    KernelTable with_bf16 = table_of<avx512::kParts>();
    with_bf16.name = "avx512_bf16";
    with_bf16.bf16 = avx512_bf16::kBf16;
    return with_bf16;
  }();
  return table;
}
#endif
#if defined(EMELEX_HAS_avx512_amx)
const KernelTable& avx512_amx_table() {
  static const KernelTable table = [] {
    KernelTable with_tiles = avx512_bf16_table();
    with_tiles.name = "avx512_amx";
    with_tiles.tiled = avx512_amx::kTiled;
    return with_tiles;
  }();
  return table;
}
#endif

const std::vector<const KernelTable*>& available() {
  static const std::vector<const KernelTable*> all = tables_for(cpu_features());
  return all;
}

const KernelTable& choose() {
  const auto& all = available();
  const char* wanted = std::getenv("EMELEX_ISA");
  if (wanted == nullptr || *wanted == '\0') return *all.front();
  std::string names;
  for (const KernelTable* table : all) {
    if (std::strcmp(table->name, wanted) == 0) return *table;
    names += str_cat(names.empty() ? "" : ", ", table->name);
  }
  throw Error(
      ErrorCode::invalid_argument,
      str_cat("[kernels] expected EMELEX_ISA to be one that this CPU and this build have (", names, "), got ", wanted));
}

}  // namespace

std::vector<const KernelTable*> tables_for(CpuFeatures features) {
  std::vector<const KernelTable*> tables;
  [[maybe_unused]] const auto add_if = [&](CpuFeatures needed, const KernelTable& table) {
    if ((features & needed) == needed) tables.push_back(&table);
  };
#if defined(EMELEX_HAS_avx512_amx)
  add_if(kAvx512AmxNeeds, avx512_amx_table());
#endif
#if defined(EMELEX_HAS_avx512_bf16)
  add_if(kAvx512Bf16Needs, avx512_bf16_table());
#endif
#if defined(EMELEX_HAS_avx512)
  add_if(kAvx512Needs, table_of<avx512::kParts>());
#endif
#if defined(EMELEX_HAS_avx2)
  add_if(kAvx2Needs, table_of<avx2::kParts>());
#endif
#if defined(EMELEX_HAS_neon_i8mm)
  add_if(kNeonI8mmNeeds, table_of<neon_i8mm::kParts>());
#endif
#if defined(EMELEX_HAS_neon_dotprod)
  add_if(kNeonDotprodNeeds, table_of<neon_dotprod::kParts>());
#endif
  tables.push_back(&table_of<scalar::kParts>());
  return tables;
}

const KernelTable& kernel_table() {
  static const KernelTable& chosen = choose();
  return chosen;
}

std::string instruction_set() {
  std::string name = kernel_table().name;
  if (amx_refused()) name += " (the system refused AMX)";
  return name;
}

const KernelTable* const* available_tables(int* count) {
  *count = static_cast<int>(available().size());
  return available().data();
}

}  // namespace emelex::cpu
