#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/simd/make_table.h"
#include "kernels/cpu/simd/neon.h"

namespace emelex::cpu {

constinit const KernelTable kNeonI8mmTable = make_table<Neon>();

}  // namespace emelex::cpu
