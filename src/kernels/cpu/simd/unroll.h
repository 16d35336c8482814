#pragma once

// Before a loop over registers: unless it is unrolled whole, the compiler keeps the array in memory. The scalar set has
// no registers of 16 lanes, so unrolling would only make it larger.
#if defined(EMELEX_NO_UNROLL)
#define EMELEX_UNROLL
#else
#define EMELEX_UNROLL _Pragma("GCC unroll 16")
#endif
