// The matrix products of every type, with activations rounded to integers and with float32 ones.
#include <algorithm>

#include "kernels/matmul_setup.h"

using namespace emelex;
using namespace emelex::test;

namespace {

constexpr int kRows[] = {1, 5, 16, 33, 150};

// Calls check(product, int8) for each type's kernels, over odd numbers of rows and columns.
template <class Check>
void for_each_product(const Check& check) {
  for (int i = 0; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<TensorType>(i);
    CAPTURE(info(type).name);
    const int block = info(type).block_size;
    const std::vector<int> columns = block == 1 ? std::vector<int>{1, 31, 96} : std::vector<int>{block, 3 * block};
    for (const bool int8 : {true, false}) {
      if ((int8 ? scalar_table().int8_matmul : scalar_table().float_matmul)[i] == nullptr) continue;
      CAPTURE(int8);
      for (const int n : columns) {
        CAPTURE(n);
        for (const int rows : kRows) {
          CAPTURE(rows);
          check(random_product(type, rows, n, static_cast<uint32_t>(rows + n)), int8);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("every type has a kernel, and the quantized ones that matter one for rounded activations") {
  for_each_table([](const cpu::KernelTable& table) {
    for (int i = 0; i < kTensorTypeCount; ++i) CHECK((table.float_matmul[i] != nullptr));
    for (const TensorType type :
         {TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k,
          TensorType::q3_k, TensorType::q4_k, TensorType::q5_k, TensorType::q6_k, TensorType::iq4_nl,
          TensorType::iq4_xs, TensorType::mxfp4}) {
      CHECK((table.int8_matmul[static_cast<int>(type)] != nullptr));
    }
  });
}

TEST_CASE("a product is what double precision gives, within the rounding of activations") {
  Random random(7);
  for_each_product([&](const Product& product, bool int8) {
    std::vector<std::vector<float>> x;
    for (int t = 0; t < 6; ++t) x.push_back(random.normals(static_cast<size_t>(product.columns)));
    const double error = normalized_error(product.run(scalar_table(), int8, x), product.reference(x));
    // One row of one block may be a small difference of large products.
    const double room = product.rows < 16 ? 20 : 1;
    CHECK(error <= room * (int8 ? 1e-4 : 1e-11));
  });
}

TEST_CASE("activations on a grid of 255 steps are multiplied without error") {
  Random random(8);
  for_each_product([&](const Product& product, bool int8) {
    if (!int8) return;
    std::vector<float> x(static_cast<size_t>(product.columns));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.below(255) - 127) / 8;
    for (size_t i = 0; i < x.size(); i += 32) {
      x[i] = 127.0F / 8;
      x[i + 1] = -127.0F / 8;
    }
    const double error = normalized_error(product.run(scalar_table(), true, {x}), product.reference({x}));
    CHECK(error <= (product.rows < 16 ? 1e-9 : 1e-12));
  });
}

TEST_CASE("every instruction set gives the scalar one's bits, on any activations and in tiles of any size") {
  for_each_product([](const Product& product, bool int8) {
    const auto rows = activation_rows(product.columns, 9);
    Random random(10);
    for (const int tokens : {1, 2, 3, 4, 5, 7, 9, 12}) {
      if (kFewerPasses && (tokens == 5 || tokens == 9)) continue;
      CAPTURE(tokens);
      const std::vector<std::vector<float>> x(rows.begin(), rows.begin() + tokens);
      const auto residual =
          tokens % 2 == 0 ? random.normals(static_cast<size_t>(tokens * product.rows)) : std::vector<float>{};
      const auto expected = product.run(scalar_table(), int8, x, residual);
      for_each_table(
          [&](const cpu::KernelTable& table) { CHECK(same_bits(product.run(table, int8, x, residual), expected)); });
    }
  });
}

TEST_CASE("a residual is added to the product") {
  for_each_product([](const Product& product, bool int8) {
    Random random(11);
    for (const int tokens : {1, 5}) {
      const std::vector<std::vector<float>> x(static_cast<size_t>(tokens),
                                              random.normals(static_cast<size_t>(product.columns)));
      const auto residual = random.normals(static_cast<size_t>(tokens * product.rows));
      auto expected = product.run(scalar_table(), int8, x, {});
      for (size_t i = 0; i < expected.size(); ++i) expected[i] = residual[i] + expected[i];
      CHECK(same_bits(product.run(scalar_table(), int8, x, residual), expected));
    }
  });
}

TEST_CASE("a token's product does not depend on the tokens beside it") {
  for_each_product([](const Product& product, bool int8) {
    if (product.rows != 33) return;
    const auto x = activation_rows(product.columns, 11);
    for_each_table([&](const cpu::KernelTable& table) {
      const auto together = product.run(table, int8, x);
      for (size_t t = 0; t < x.size(); ++t) {
        const auto begin = together.begin() + static_cast<std::ptrdiff_t>(t) * product.rows;
        CHECK(same_bits(product.run(table, int8, {x[t]}), {begin, begin + product.rows}));
      }
    });
  });
}

TEST_CASE("infinities and NaN among the activations end as NaN or infinity, not as numbers") {
  const Product product = random_product(TensorType::q4_1, 33, 96, 1);
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    Random random(12);
    auto x = random.normals(96);
    // A NaN alone is only sure to be seen where all of a block is; it never stands alone behind a norm.
    std::fill(x.begin() + 32, x.begin() + 64, bad);
    for_each_table([&](const cpu::KernelTable& table) {
      for (const float y : product.run(table, true, {x})) CHECK(!std::isfinite(y));
      for (const float y : product.run(table, false, {x})) CHECK(!std::isfinite(y));
    });
  }
}
