#pragma once

#include <string>

#include "kernels/kernel_test.h"

namespace emelex::test {

// The products of tiles with plain integers in the place of the processor's.
cpu::TiledFn emulated_tiles();

// Calls check(table) for every instruction set of this machine, and for those whose kernels hand products of tiles on
// also with emulated ones.
template <class Check>
void for_each_table_and_tiles(const Check& check) {
  for_each_table([&](const cpu::KernelTable& table) {
    check(table);
    if (std::string(table.name).rfind("avx512", 0) != 0) return;
    cpu::KernelTable emulated = table;
    emulated.tiled = emulated_tiles();
    CAPTURE("with emulated tiles");
    check(emulated);
  });
}

}  // namespace emelex::test
