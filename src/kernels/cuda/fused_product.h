#pragma once

#include <optional>

#include "kernels/cuda/cuda_context.h"
#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {

struct PackedFormat;

// A matrix, or two that are gated, as the launches of its products depend on it.
struct FusedShape {
  int columns;
  int row_tiles;  // of one, where two are gated
  bool gated;     // two parts of equal rows become one result
  bool normed;    // the input is normalized by RMSNorm
};

// How source/single.cu is launched for one token.
struct SingleLaunch {
  int warps;   // of a block
  int ahead;   // pairs of column tiles that a warp has on their way
  int blocks;  // on a multiprocessor at a time
};

// How source/few.cu is launched.
struct FewLaunch {
  int warps;              // of a block
  int columns_of_tokens;  // of eight: NT
  int cluster;            // blocks that share a row
  int ahead;              // tiles that a warp has on their way
  int blocks;             // on a multiprocessor at a time
  int buffers;            // 1 where no cluster takes rows twice, else 2
  int shared_bytes;
};

constexpr int kMostFewTokens = 32;

// What was the quickest for the shapes of models of 0.1 to 8 billion weights on an H200. Nothing for formats and sizes
// that the kernel does not take, or takes slower than source/product.cu.
std::optional<SingleLaunch> single_launch(const PackedFormat& format, const FusedShape& shape);
std::optional<FewLaunch> few_launch(const PackedFormat& format, const FusedShape& shape, int tokens,
                                    const Device& device);

// A product with a packed matrix that has a norm before it and a gate after it in the same launch.
class FusedProduct {
 public:
  FusedProduct(Device& device, const PackedFormat& format, const FusedShape& shape, const SingleLaunch& launch);
  FusedProduct(Device& device, const PackedFormat& format, const FusedShape& shape, const FewLaunch& launch);

  void launch(Device& device, const FusedArgs& args) const;

 private:
  FunctionHandle kernel_;
  Launch launch_;
};

}  // namespace emelex::cuda
