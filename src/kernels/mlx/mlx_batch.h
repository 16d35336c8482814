#pragma once

#include <optional>
#include <vector>

#include "kernels/batch.h"
#include "kernels/mlx/mlx_kv_pool.h"

namespace emelex::mlx_backend {

// Where a step's tokens are in the pool of a group of layers.
struct GroupPlacement {
  // A sequence's blocks up to where it reaches, from number `first` on.
  struct Blocks {
    int first = 0;
    std::vector<int32_t> numbers;
    std::optional<mx::array> gather;  // nothing where the numbers follow one another
  };

  Slots slots;
  std::vector<Blocks> sequences;
};

// A step as MLX computes it.
struct MlxBatch : Batch {
  MlxBatch(StepPtr given, const KvMemory& given_memory);

  const KvMemory* memory;
  mx::array positions;                 // [tokens]
  std::vector<GroupPlacement> groups;  // [groups of layers]
};

inline const MlxBatch& mlx_batch(const Batch& batch) { return static_cast<const MlxBatch&>(batch); }

}  // namespace emelex::mlx_backend
