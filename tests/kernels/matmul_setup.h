#pragma once

#include <map>
#include <memory>

#include "kernels/kernel_test.h"

namespace emelex::test {

// Random blocks of a type: any bytes, but with scales that a model would have.
std::vector<std::byte> random_blocks(TensorType type, size_t n_values, Random& random);

// What a kernel makes of x [tokens][columns] → [tokens, rows]. `matrix` says all about the weights; `int8`: the kernel
// takes rounded activations. With `pack`, checks that the packed matrix gives the same bits.
std::vector<float> run_matmul(const cpu::KernelTable& table, cpu::MatmulFn kernel, cpu::PackFn pack, bool int8,
                              const cpu::MatmulArgs& matrix, const std::vector<std::vector<float>>& x,
                              const std::vector<float>& residual = {});

// The same in double precision, with the weights [rows, columns] as they are and unrounded activations.
std::vector<double> multiply_exactly(const std::vector<float>& weights, const std::vector<std::vector<float>>& x);

// A matrix product as a table's kernels compute it, from float activations on.
struct Product {
  TensorType type;
  int rows;
  int columns;
  std::vector<std::byte> weights;

  // What a kernel is told of the matrix.
  cpu::MatmulArgs args() const;

  // x [tokens][columns] → [tokens, rows]; `int8` chooses the kernel of rounded activations.
  std::vector<float> run(const cpu::KernelTable& table, bool int8, const std::vector<std::vector<float>>& x,
                         const std::vector<float>& residual = {}) const;

  // The same by bf16 dot products, of a table that has them and a matrix of bfloat16.
  std::vector<float> run_bf16(const cpu::KernelTable& table, const std::vector<std::vector<float>>& x) const;

  // The same in double precision, from the type's reference values and unrounded activations.
  std::vector<double> reference(const std::vector<std::vector<float>>& x) const;
};

Product random_product(TensorType type, int rows, int columns, uint32_t seed);

// |a - b|² / |b|², or |a - b|² where b is zero
double normalized_error(const std::vector<float>& a, const std::vector<double>& b);

}  // namespace emelex::test
