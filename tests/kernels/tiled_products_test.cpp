// Products for many tokens by tiles, of the processor and emulated.
#include "kernels/emulated_tiles.h"
#include "kernels/matmul_setup.h"

#define EMELEX_NO_UNROLL  // scalar vectors are not registers
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/k_quants.h"
#include "kernels/cpu/simd/scalar.h"
#include "kernels/cpu/simd/weight_blocks.h"

using namespace emelex;
using namespace emelex::test;

namespace {

// All kinds of activations over and over, so that blocks of 8 and of 16 bits are in one tile.
std::vector<std::vector<float>> many_rows(int tokens, int columns) {
  std::vector<std::vector<float>> x;
  for (uint32_t seed = 9; static_cast<int>(x.size()) < tokens; ++seed) {
    for (auto& row : activation_rows(columns, seed)) {
      if (static_cast<int>(x.size()) < tokens) x.push_back(std::move(row));
    }
  }
  return x;
}

struct ScalarWithTiles : cpu::Scalar {
  static constexpr bool kTiles = true;
};

// A product by emulated tiles alone, with a format's blocks as the scalar set unpacks them: on any machine.
template <class Format>
std::vector<float> by_emulated_tiles(const Product& product, const std::vector<std::vector<float>>& x) {
  using Blocks = cpu::WeightBlocks<ScalarWithTiles, Format>;
  using Source = typename Blocks::FileSource;
  static constexpr auto begin = [](const cpu::MatmulArgs& args, int row, std::byte* state) {
    new (state) Source(Blocks::template source<cpu::FileReader<ScalarWithTiles>>(args, row, 1));
  };
  static constexpr auto unpack = [](std::byte* state, size_t first, size_t end, std::byte* memory) {
    Blocks::unpack(*std::launder(reinterpret_cast<Source*>(state)), first, end, true, memory);
  };
  const auto run = [](const cpu::MatmulArgs& args, int row_begin, int row_end, std::byte* scratch) {
    const bool is_signed = Format::kMost < 128 || Blocks::kOffset != 0;
    emulated_tiles()(args, row_begin, row_end, scratch,
                     {sizeof(Source), begin, unpack, Format::kHasMin, is_signed, nullptr});
  };
  cpu::KernelTable table = scalar_table();
  table.tiled = emulated_tiles();
  return run_matmul(table, run, nullptr, true, product.args(), x);
}

template <class Format>
void check_emulated(TensorType type) {
  CAPTURE(info(type).name);
  for (const int columns : {Format::kBlock, 5 * Format::kBlock}) {
    const Product product = random_product(type, 41, columns, 3);
    const auto x = many_rows(32, columns);
    CHECK(same_bits(by_emulated_tiles<Format>(product, x), product.run(scalar_table(), true, x)));
  }
}

}  // namespace

TEST_CASE("emulated tiles give the scalar kernels' bits") {
  check_emulated<cpu::Q4_0Format>(TensorType::q4_0);
  check_emulated<cpu::Q4_1Format>(TensorType::q4_1);
  check_emulated<cpu::Q8_0Format>(TensorType::q8_0);
  check_emulated<cpu::Q4KFormat>(TensorType::q4_k);
}

TEST_CASE("with many tokens every instruction set gives the scalar one's bits, by tiles as well") {
  for (int i = 0; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<TensorType>(i);
    if (scalar_table().int8_matmul[i] == nullptr) continue;
    CAPTURE(info(type).name);
    for (const int rows : {16, 41, 150}) {
      for (const int columns : {info(type).block_size, 5 * 256}) {
        CAPTURE(rows);
        CAPTURE(columns);
        const Product product = random_product(type, rows, columns, static_cast<uint32_t>(rows + columns));
        Random random(10);
        for (const int tokens : {16, 31, 49}) {
          if (kFewerPasses && tokens == 16 && rows != 41) continue;
          CAPTURE(tokens);
          const auto x = many_rows(tokens, columns);
          const auto residual =
              tokens == 31 ? random.normals(static_cast<size_t>(tokens * rows)) : std::vector<float>{};
          const auto expected = product.run(scalar_table(), true, x, residual);
          for_each_table_and_tiles([&](const cpu::KernelTable& table) {
            CHECK(same_bits(product.run(table, true, x, residual), expected));
          });
        }
      }
    }
  }
}

TEST_CASE("more tokens and rows than tiles take at once") {
  for (const int columns : {32, 1056}) {
    CAPTURE(columns);
    const Product product = random_product(TensorType::q4_0, 610, columns, 5);
    const auto x = many_rows(columns == 32 ? 1050 : 530, columns);
    const auto expected = product.run(scalar_table(), true, x);
    for_each_table_and_tiles(
        [&](const cpu::KernelTable& table) { CHECK(same_bits(product.run(table, true, x), expected)); });
  }
}
