// The matrix products of plain numbers in sizes that fill whole tiles, and leave every kind of rest.
#include "kernels/matmul_setup.h"
#include "quant/half.h"

using namespace emelex;
using namespace emelex::test;

namespace {

template <class Check>
void for_each_plain_type(const Check& check) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
    CAPTURE(info(type).name);
    check(type);
  }
}

std::vector<std::vector<float>> random_tokens(int tokens, int columns, uint32_t seed) {
  Random random(seed);
  std::vector<std::vector<float>> x;
  for (int t = 0; t < tokens; ++t) x.push_back(random.normals(static_cast<size_t>(columns)));
  return x;
}

}  // namespace

TEST_CASE(
    "plain numbers give the scalar kernel's bits on every instruction set, packed or not, whatever is left over") {
  for_each_plain_type([](TensorType type) {
    for (const int rows : {3, 64, 147, 150}) {
      CAPTURE(rows);
      for (const int columns : {4, 255, 256, 258, 531, 1024}) {
        CAPTURE(columns);
        const Product product = random_product(type, rows, columns, static_cast<uint32_t>(rows * columns));
        const auto x = random_tokens(7, columns, 3);
        Random random(4);
        const auto residual = random.normals(x.size() * static_cast<size_t>(rows));
        const auto expected = product.run(scalar_table(), false, x, residual);
        for_each_table(
            [&](const cpu::KernelTable& table) { CHECK(same_bits(product.run(table, false, x, residual), expected)); });
      }
    }
  });
}

TEST_CASE("plain numbers give a token the same bits alone and among others") {
  for_each_plain_type([](TensorType type) {
    const Product product = random_product(type, 150, 531, 5);
    const auto x = random_tokens(47, 531, 6);  // so many that their matrix is widened first
    const auto expected = product.run(scalar_table(), false, x);
    for_each_table([&](const cpu::KernelTable& table) {
      const auto together = product.run(table, false, x);
      CHECK(same_bits(together, expected));
      for (size_t first = 0; first < x.size(); ++first) {
        const auto begin = together.begin() + static_cast<std::ptrdiff_t>(first) * product.rows;
        CHECK(same_bits(product.run(table, false, {x[first]}), {begin, begin + product.rows}));
      }
    });
  });
}

TEST_CASE("bf16 dot products give what float32 gives of rounded activations, packed or not, alone and among others") {
  int with_dots = 0;
  for_each_table([&](const cpu::KernelTable& table) {
    if (table.bf16.matmul == nullptr) return;
    ++with_dots;
    for (const int rows : {3, 64, 147, 150}) {
      CAPTURE(rows);
      for (const int columns : {4, 255, 256, 258, 531, 1024}) {
        CAPTURE(columns);
        const Product product = random_product(TensorType::bf16, rows, columns, static_cast<uint32_t>(rows * columns));
        const auto x = random_tokens(7, columns, 3);
        auto rounded = x;
        for (auto& token : rounded) {
          for (float& value : token) value = bfloat16_to_float(float_to_bfloat16(value));
        }
        const auto out = product.run_bf16(table, x);
        CHECK(normalized_error(out, product.reference(rounded)) < 5e-13);
        CHECK(normalized_error(out, product.reference(x)) < 5e-5);
        for (size_t t = 0; t < x.size(); ++t) {
          const auto begin = out.begin() + static_cast<std::ptrdiff_t>(t) * rows;
          CHECK(same_bits(product.run_bf16(table, {x[t]}), {begin, begin + rows}));
        }
      }
    }
  });
  if (with_dots == 0) MESSAGE("not tested: this CPU has no bf16 dot products");
}

TEST_CASE("the sum of a long row is as near to the exact one as that of a short one") {
  for_each_plain_type([](TensorType type) {
    const auto error_of = [&](int columns) {
      const Product product = random_product(type, 64, columns, 7);
      const auto x = random_tokens(4, columns, 8);
      return normalized_error(product.run(scalar_table(), false, x), product.reference(x));
    };
    const double of_short = error_of(256);
    CHECK(of_short < 2e-13);
    CHECK(error_of(8192) < 1.5 * of_short);
  });
}
