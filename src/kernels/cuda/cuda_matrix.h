#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_context.h"
#include "kernels/cuda/fused_product.h"
#include "kernels/cuda/source/layouts.h"
#include "weights/weights.h"

namespace emelex::cuda {

// How packed weights are stored; source/product.cu.
struct PackedFormat {
  int bits;      // 4, 8 or 16
  int group;     // columns that share a scale; 0: none
  bool minimum;  // groups have one
  int source;    // PackSource; of others PACK_F32, read by Tensor::read_rows

  bool same_layout(const PackedFormat& other) const {
    return bits == other.bits && group == other.group && minimum == other.minimum;
  }
  size_t tile_bytes() const;
  std::vector<std::string> defines() const;
};

PackedFormat packed_format(const Tensor& tensor);

// Bytes that a matrix takes on the GPU.
int64_t packed_bytes(const Tensor& tensor);

// Bytes that it takes as float16, whole tiles.
int64_t unpacked_bytes(const Tensor& tensor);

// What is computed in the launch of a product.
struct Surroundings {
  DevicePointer norm = 0;  // RMSNorm's weights [columns]; 0: the input as it is
  float eps = 0;
  std::optional<GateKind> gate = std::nullopt;  // of the first two parts
  DevicePointer residual = 0;                   // that the first result is added to
};

// Matrices of the same columns and packed format, one under the other, in the GPU's memory.
class CudaMatrix {
 public:
  // Copies and packs. Throws Error(unsupported) where a weight does not fit into float16.
  CudaMatrix(CudaContextPtr context, const std::vector<const Tensor*>& tensors);

  int columns() const { return columns_; }

  // x → the products of each matrix into outs [tokens, its rows], with biases (0: none); the first plus the residual.
  void multiply(CudaArray& x, const std::vector<DevicePointer>& outs, const std::vector<DevicePointer>& biases,
                DevicePointer residual) const;
  // Whether products of so many tokens are cuBLAS's.
  bool has_gemm(int tokens) const;
  // The products of all matrices by cuBLAS, one under the other: [tokens, rows of whole tiles], without x's
  // half_scales.
  mx::array multiply_all(CudaArray& x) const;
  // Where the products of a matrix begin in that.
  int first_row(size_t matrix) const { return parts_[matrix].first_tile * TILE_ROWS; }
  // Whether `tokens` tokens are multiplied by one launch with what is around the product. A gate needs two matrices of
  // equal rows.
  bool has_fused(int tokens, bool gated) const;
  // That launch. Of gated matrices outs has the one result.
  void multiply_fused(const CudaArray& x, const Surroundings& around, const std::vector<DevicePointer>& outs,
                      const std::vector<DevicePointer>& biases) const;
  // Rows of the first matrix by the step's token ids.
  void embed(DevicePointer step, const CudaArray& out) const;

 private:
  struct Part {
    int first_tile;
    int rows;
  };
  void pack(const Tensor& tensor, const Part& part, DeviceMemory& source, DevicePointer overflow) const;
  FunctionHandle product(int tokens) const;
  int warps(int place) const;
  FusedShape fused_shape(bool gated, bool normed) const;
  const FusedProduct& fused(int tokens, bool gated, bool normed) const;
  ProductParts parts(const std::vector<DevicePointer>& outs, const std::vector<DevicePointer>& biases) const;
  void multiply_few(CudaArray& x, const ProductArgs& args) const;
  void multiply_many(CudaArray& x, const ProductArgs& args) const;
  void unpack(DevicePointer to) const;
  // Calls use(float16 [row_tiles * TILE_ROWS, unpacked_stride()]).
  template <class Use>
  void with_unpacked(const Use& use) const;
  int unpacked_stride() const { return column_tiles_ * TILE_COLUMNS; }

  CudaContextPtr context_;
  PackedFormat format_;
  int columns_;
  int column_tiles_;
  int row_tiles_ = 0;
  std::vector<Part> parts_;
  DeviceMemory tiles_;
  mutable FunctionHandle products_[4] = {};  // for up to 8, 16, 32 and 64 tokens
  // [gated][normed], for 1 token and up to 8, 16 and 32
  mutable std::unique_ptr<FusedProduct> fused_[2][2][4];
  mutable DeviceMemory unpacked_;  // kept where there is memory to spare
  mutable FunctionHandle unpack_ = nullptr;
  mutable FunctionHandle embed_ = nullptr;
  FunctionHandle finish_ = nullptr;
  FunctionHandle split_ = nullptr;
};

// The rows as float16, made now if they are not.
void require_halves(CudaContext& context, CudaArray& x);

}  // namespace emelex::cuda
