#pragma once

#include <vector>

#include "quant/mlx_quants.h"

namespace emelex::test {

// Every format that MLX has.
inline std::vector<MlxFormat> all_mlx_formats() {
  std::vector<MlxFormat> all;
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const int group_size : {32, 64, 128}) {
      for (const TensorType scale : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
        all.push_back({MlxMode::affine, bits, group_size, scale});
      }
    }
  }
  for (const MlxMode mode : {MlxMode::mxfp4, MlxMode::mxfp8, MlxMode::nvfp4}) all.push_back(default_mlx_format(mode));
  return all;
}

}  // namespace emelex::test
