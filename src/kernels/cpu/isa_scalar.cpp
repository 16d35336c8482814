#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/simd/make_table.h"
#include "kernels/cpu/simd/scalar.h"

namespace emelex::cpu {

constinit const KernelTable kScalarTable = make_table<Scalar>();

}  // namespace emelex::cpu
