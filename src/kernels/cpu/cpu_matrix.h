#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cpu/cpu_context.h"
#include "weights/weights.h"

namespace emelex::cpu {

// What a kernel takes activations as.
enum class Activations : uint8_t { float32, int8, bf16 };

// A matrix of weights and the kernel that multiplies with it. It lies in the mapped file, or packed in memory of ours.
struct CpuMatrix {
  std::shared_ptr<const void> file;
  std::span<const std::byte> data;
  size_t row_bytes;
  int rows;
  int columns;
  MatmulFn matmul;
  PackFn pack;  // nullptr: stays in the file
  Activations activations;
  bool tiles;  // whether products of tiles are quicker (KernelTable::tiled)
  std::shared_ptr<const MlxParts> parts;
  const std::byte* packed = nullptr;
  size_t packed_group_bytes = 0;

  // All of a kernel's arguments that are the matrix's own.
  MatmulArgs args() const;
  // The bytes of rows [row, row_end), but for scales that lie elsewhere; both are multiples of a group's rows.
  std::span<const std::byte> bytes_of(const KernelTable& kernels, int row, int row_end) const;
};

// Throws Error(unsupported) where the type has no kernel.
CpuMatrix make_matrix(const CpuContext& context, const Tensor& tensor);

// Copies the matrix into the form that is quickest to read, and gives the file's pages back; not where there is no
// memory left to pack into, or no use. The products stay the same, bit for bit.
void pack_matrix(CpuContext& context, CpuMatrix& matrix);

// Up to so many tokens a product waits for memory, with more for arithmetic.
constexpr int kFewTokens = 8;

// Rows that a worker takes at a time, when a product has `row_groups` groups of kLanes rows in all: a multiple of
// the groups that a kernel reads side by side.
int chunk_rows(int row_groups, int threads);

// Adds a matrix's bias to rows [row_begin, row_end) of out [tokens, rows]; an empty one is none.
void add_bias(const std::vector<float>& bias, int row_begin, int row_end, int tokens, float* out);

}  // namespace emelex::cpu
