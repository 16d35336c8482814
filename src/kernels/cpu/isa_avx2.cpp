#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/simd/avx2.h"
#include "kernels/cpu/simd/make_table.h"

namespace emelex::cpu {

constinit const KernelTable kAvx2Table = make_table<Avx2>();

}  // namespace emelex::cpu
