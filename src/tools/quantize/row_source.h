#pragma once

#include <optional>
#include <span>
#include <vector>

#include "weights/rope_pairs.h"
#include "weights/weights.h"

namespace emelex {

// How the rows of query and key matrices follow one another within a head. RoPE turns pairs of values; GGUF files of
// some architectures have the two of a pair side by side, Hugging Face has all first ones, then all second ones. So do
// gates and ups of an expert, which are such pairs in gpt-oss's files.
enum class RowOrder {
  same,
  halves_to_pairs,
  pairs_to_halves,
};

// The rows of a tensor in float32, in another order where that is asked for; of a vector its values are. Safe to use
// from any thread.
class RowSource {
 public:
  explicit RowSource(const Tensor& tensor) : tensor_(&tensor) {}
  // `head_dim`, the rows of a head or of an expert, is even and divides the number of rows.
  RowSource(const Tensor& tensor, RowOrder order, int64_t head_dim)
      : tensor_(&tensor), order_(order), head_dim_(head_dim) {}

  const Tensor& tensor() const { return *tensor_; }
  int64_t rows() const;  // of all matrices, where it has several
  int64_t columns() const { return tensor_->columns(); }
  bool reorders() const { return order_ != RowOrder::same; }

  // Rows `first`, `first` + 1, … as many as `to` has room for. Throws Error(corrupt_file), naming the tensor and the
  // row, for numbers that are not finite, or beyond what float16 holds when `fits_half`.
  void read(int64_t first, std::span<float> to, bool fits_half) const;

  int64_t source_row(int64_t row) const;  // the tensor's, that is row `row` here

 private:
  const Tensor* tensor_;
  RowOrder order_ = RowOrder::same;
  int64_t head_dim_ = 0;
};

// How GGUF files of the architecture of `weights` pair the values of a head; nothing where emelex does not know it.
std::optional<RopePairs> gguf_rope_pairs(const Weights& weights);

// What the rows of q and k of `weights` need to be paired as `wanted`; nothing: they stay.
class RowOrders {
 public:
  RowOrders(const Weights& weights, std::optional<RopePairs> wanted);
  RowSource source(const Tensor& tensor) const;

 private:
  RowOrder order_ = RowOrder::same;
  int64_t heads_ = 0;
  int64_t kv_heads_ = 0;
};

}  // namespace emelex
