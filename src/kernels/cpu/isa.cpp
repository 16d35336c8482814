#include "kernels/cpu/isa.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cpu/isa_tables.h"

namespace emelex::cpu {
namespace {

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
  throw Error(ErrorCode::invalid_argument,
              str_cat("[kernels] expected EMELEX_ISA to be one that this CPU has (", names, "), got ", wanted));
}

}  // namespace

std::vector<const KernelTable*> tables_for(CpuFeatures features) {
  std::vector<const KernelTable*> tables;
  [[maybe_unused]] const auto add_if = [&](CpuFeatures needed, const KernelTable& table) {
    if ((features & needed) == needed) tables.push_back(&table);
  };
#if defined(__x86_64__)
  add_if(kAvx512Bf16Needs, avx512_bf16_table());
  add_if(kAvx512Needs, kAvx512Table);
  add_if(kAvx2Needs, kAvx2Table);
#elif defined(__aarch64__)
  add_if(kNeonI8mmNeeds, kNeonI8mmTable);
  add_if(kNeonDotprodNeeds, kNeonDotprodTable);
#endif
  tables.push_back(&kScalarTable);
  return tables;
}

const KernelTable& kernel_table() {
  static const KernelTable& chosen = choose();
  return chosen;
}

const KernelTable* const* available_tables(int* count) {
  *count = static_cast<int>(available().size());
  return available().data();
}

}  // namespace emelex::cpu
