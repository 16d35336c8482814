#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/simd/avx512.h"
#include "kernels/cpu/simd/make_table.h"

namespace emelex::cpu {

constinit const KernelTable kAvx512Table = make_table<Avx512>();

}  // namespace emelex::cpu
