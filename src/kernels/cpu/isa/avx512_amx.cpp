#include "kernels/cpu/isa/tables.h"
#include "kernels/cpu/simd/amx_tiles.h"
#include "kernels/cpu/simd/avx512.h"
#include "kernels/cpu/simd/tiled_products.h"

namespace emelex::cpu {

constinit const TiledFn avx512_amx::kTiled = TiledProducts<Avx512, AmxTiles>::run;

}  // namespace emelex::cpu
