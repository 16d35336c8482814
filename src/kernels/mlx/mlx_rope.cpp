#include "kernels/mlx/mlx_rope.h"

#include <mlx/fast.h>
#include <mlx/ops.h>

#include <algorithm>

#include "kernels/mlx/mlx_batch.h"

namespace emelex::mlx_backend {
namespace {

mx::array wavelengths(const std::vector<float>& frequencies) {
  std::vector<float> values;
  for (const float frequency : frequencies) values.push_back(1.0F / frequency);
  return mx::array(values.data(), {static_cast<int>(values.size())}, mx::float32);
}

}  // namespace

MlxRope::MlxRope(MlxContextPtr context, const Rope& rope, int head_dim)
    : context_(std::move(context)),
      dim_(rope.dim),
      head_dim_(head_dim),
      interleaved_(rope.interleaved),
      wavelengths_(wavelengths(rope.frequencies(false))),
      long_wavelengths_(wavelengths(rope.frequencies(true))) {
  if (rope.scale == 1.0F) return;
  std::vector<float> scales(static_cast<size_t>(head_dim), 1.0F);
  std::fill_n(scales.begin(), rope.dim, rope.scale);
  scales_ = mx::array(scales.data(), {head_dim}, mx::float32);
}

mx::array MlxRope::operator()(const mx::array& x, int heads, const MlxBatch& batch) const {
  const std::vector<StepSequence>& sequences = batch.step().sequences;
  const bool long_rope = sequences.front().long_rope;
  const auto other = [long_rope](const StepSequence& s) { return s.long_rope != long_rope; };
  if (std::none_of(sequences.begin(), sequences.end(), other)) return rotate(x, heads, batch.positions, long_rope);
  std::vector<mx::array> parts;
  for (const StepSequence& s : sequences) {
    const auto rows = mx::slice(x, {s.first, 0}, {s.first + s.count, x.shape(1)}, context_->stream);
    const auto positions = mx::slice(batch.positions, {s.first}, {s.first + s.count}, context_->stream);
    parts.push_back(rotate(rows, heads, positions, s.long_rope));
  }
  return mx::concatenate(parts, 0, context_->stream);
}

mx::array MlxRope::rotate(const mx::array& x, int heads, const mx::array& positions, bool long_rope) const {
  if (dim_ == 0) return mx::reshape(x, {-1, heads, head_dim_}, context_->stream);
  const auto split = mx::reshape(x, {-1, heads, 1, head_dim_}, context_->stream);
  auto rotated = mx::fast::rope(split, dim_, interleaved_, std::nullopt, 1.0F, positions,
                                long_rope ? long_wavelengths_ : wavelengths_, context_->stream);
  if (scales_) rotated = mx::multiply(rotated, *scales_, context_->stream);
  return mx::reshape(rotated, {-1, heads, head_dim_}, context_->stream);
}

}  // namespace emelex::mlx_backend
