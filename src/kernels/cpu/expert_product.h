#pragma once

#include <span>
#include <vector>

#include "kernels/cpu/cpu_context.h"
#include "kernels/cpu/cpu_matrix.h"
#include "kernels/cpu/routing.h"

namespace emelex::cpu {

// One matrix of each expert, multiplied with the rows of its expert.
class ExpertProduct {
 public:
  ExpertProduct(CpuContext& context, const std::vector<Matrix>& matrices);

  int rows() const { return matrices_.front().rows; }
  int columns() const { return matrices_.front().columns; }
  Activations activations(int expert) const { return matrix(expert).activations; }
  // Counts a use for few tokens.
  void use_for_few(int expert) { --uses_to_packing_[static_cast<size_t>(expert)]; }
  // Packs the matrices of experts that have been used often enough.
  void pack_used(CpuContext& context);

  const CpuMatrix& matrix(int expert) const { return matrices_[static_cast<size_t>(expert)]; }
  const std::vector<float>& bias(int expert) const { return biases_[static_cast<size_t>(expert)]; }

 private:
  std::vector<CpuMatrix> matrices_;         // [experts]
  std::vector<std::vector<float>> biases_;  // [experts], of [rows], empty where there is none
  std::vector<int> uses_to_packing_;        // [experts] by few tokens
};

// A product and where its result goes, [rows of all groups, product's rows].
struct ExpertOutput {
  const ExpertProduct* product;
  float* out;
};

// The input of products: of row i that of token tokens[i] of x, or where `tokens` is empty row i itself.
struct ExpertInput {
  const float* x;  // [tokens, columns]
  std::span<const int> tokens;
};

// Bytes of scratch for multiply_experts.
size_t expert_scratch_bytes(const Routing& routing, int columns);

// The products of all groups, whose matrices have the same columns, shared out over the pool as one loop. `scratch` is
// aligned to 64.
void multiply_experts(CpuContext& context, const Routing& routing, const ExpertInput& input,
                      std::span<const ExpertOutput> outputs, std::byte* scratch);

}  // namespace emelex::cpu
