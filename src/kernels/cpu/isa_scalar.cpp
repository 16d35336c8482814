#include "kernels/cpu/simd/scalar.h"

#include "kernels/cpu/isa_tables.h"
#include "kernels/cpu/simd/make_table.h"

namespace emelex::cpu {

constinit const KernelTable kScalarTable = make_table<Scalar>();

}  // namespace emelex::cpu
