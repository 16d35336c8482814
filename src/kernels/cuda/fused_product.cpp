#include "kernels/cuda/fused_product.h"

#include <algorithm>

#include "base/strings.h"
#include "kernels/cuda/cuda_matrix.h"

namespace emelex::cuda {
namespace {

constexpr int kSharedBytes = 48 << 10;       // that a block has without asking
constexpr int kMostSharedBytes = 200 << 10;  // of compute capability 9.0 and later, with room
constexpr int kRegisters = 64 << 10;         // of a multiprocessor
constexpr int kMostBlocks = 8;
constexpr int kFewWarps = 8;   // of a block of few.cu
constexpr int kLongRow = 128;  // column tiles

constexpr int divided(int n, int by) { return (n + by - 1) / by; }

std::vector<std::string> defines_of(const PackedFormat& format, const FusedShape& shape) {
  std::vector<std::string> defines = format.defines();
  defines.insert(defines.end(), {str_cat("COLUMNS=", shape.columns), str_cat("GATED=", shape.gated ? 1 : 0),
                                 str_cat("NORMED=", shape.normed ? 1 : 0)});
  return defines;
}

int column_tiles(const FusedShape& shape) { return divided(shape.columns, TILE_COLUMNS); }

// Times that a cluster takes its row tiles, of all clusters.
int few_groups(const FewLaunch& launch, const FusedShape& shape) { return divided(shape.row_tiles, launch.warps); }

// Clusters that run at once.
int most_clusters(const FewLaunch& launch, const Device& device) {
  return std::max(1, launch.blocks * device.processors() / launch.cluster);
}

// few.cu's struct Shared.
int few_shared_bytes(const FewLaunch& launch, const FusedShape& shape) {
  const int tokens = launch.columns_of_tokens * 8;
  const int slice = divided(column_tiles(shape), launch.cluster) * TILE_COLUMNS;
  const int x = tokens * (slice + 32) * 2;
  const int sums = (shape.gated ? 2 : 1) * tokens * (launch.warps * TILE_ROWS + 4 * launch.cluster) * 4;
  const int squares_and_scales = (launch.cluster + 2) * tokens * 4;
  constexpr int kArrivals = 2 * 8;
  return x + launch.buffers * sums + squares_and_scales + kArrivals;
}

// Sets what follows from so many warps of a block and blocks of a multiprocessor. Returns whether they have the memory.
bool fits(FewLaunch& launch, const FusedShape& shape, const Device& device, int warps, int blocks) {
  launch.warps = warps;
  launch.blocks = blocks;
  launch.buffers = few_groups(launch, shape) <= most_clusters(launch, device) ? 1 : 2;
  launch.shared_bytes = few_shared_bytes(launch, shape);
  return launch.shared_bytes <= kMostSharedBytes / blocks;
}

}  // namespace

std::optional<SingleLaunch> single_launch(const PackedFormat& format, const FusedShape& shape) {
  if (format.bits > 8 || shape.columns % 4 != 0) return std::nullopt;
  const int pairs = divided(shape.columns, 2 * TILE_COLUMNS);
  // Two planes of integers, scales and sums of 32 columns; of groups of 16 two sums.
  const int shared_bytes = pairs * (4 * TILE_COLUMNS + 4 * (format.group == 32 ? 8 : 12)) + (8 << 10);
  if (shared_bytes > kSharedBytes) return std::nullopt;
  // Warps that each have one pair of a row, where those are few; else blocks of at most 32 warps.
  const int rounds = pairs <= 12 ? 1 : pairs <= 32 ? 2 : std::max(4, divided(pairs, 32));
  SingleLaunch launch{};
  launch.warps = divided(pairs, rounds);
  launch.ahead = std::min(rounds, launch.warps > 16 ? 2 : 4);
  const int pair_registers = 2 * format.bits + (format.minimum ? 4 : 2) * (32 / format.group);
  const int registers = 32 + launch.ahead * pair_registers * (shape.gated ? 2 : 1);
  launch.blocks = std::clamp(kRegisters / (registers * 32 * launch.warps), 1, kMostBlocks);
  if (rounds > 1) launch.blocks = std::clamp(32 / launch.warps, 1, launch.blocks);
  return launch;
}

std::optional<FewLaunch> few_launch(const PackedFormat& format, const FusedShape& shape, int tokens,
                                    const Device& device) {
  if (!device.has_clusters() || tokens > kMostFewTokens || shape.columns % 4 != 0) return std::nullopt;
  const int groups = divided(shape.row_tiles, kFewWarps);
  if (tokens > 16 && groups > 4 * device.processors()) return std::nullopt;
  FewLaunch launch{};
  launch.columns_of_tokens = tokens <= 8 ? 1 : tokens <= 16 ? 2 : 4;
  launch.cluster = column_tiles(shape) > kLongRow ? 8 : 1;
  while (launch.cluster < 8 && groups * launch.cluster < device.processors() * 3 / 4) launch.cluster *= 2;
  while (launch.cluster < 8 && !fits(launch, shape, device, kFewWarps, 1)) launch.cluster *= 2;
  // Twice as many warps share what is staged of more than eight tokens.
  const bool wide = tokens > 8 && !shape.gated && fits(launch, shape, device, 2 * kFewWarps, 1) && launch.buffers == 1;
  const bool twice = !wide && !shape.gated && fits(launch, shape, device, kFewWarps, 2);
  if (!wide && !twice && !fits(launch, shape, device, kFewWarps, 1)) return std::nullopt;
  launch.ahead = format.bits == 16 || wide ? 2 : 4;
  if (format.bits == 4 && shape.gated && launch.cluster == 1 && tokens <= 8) launch.ahead = 8;
  const int slice_tiles = divided(column_tiles(shape), launch.cluster);
  while (launch.ahead > 2 && slice_tiles % launch.ahead != 0) --launch.ahead;
  return launch;
}

FusedProduct::FusedProduct(Device& device, const PackedFormat& format, const FusedShape& shape,
                           const SingleLaunch& launch) {
  KernelText text{"single", defines_of(format, shape)};
  text.defines.insert(text.defines.end(), {str_cat("WARPS=", launch.warps), str_cat("AHEAD=", launch.ahead),
                                           str_cat("BLOCKS=", launch.blocks)});
  kernel_ = device.kernel(text, "single");
  const int blocks = std::min(shape.row_tiles, launch.blocks * device.processors());
  launch_.grid.x = static_cast<unsigned>(blocks);
  launch_.threads = static_cast<unsigned>(32 * launch.warps);
}

FusedProduct::FusedProduct(Device& device, const PackedFormat& format, const FusedShape& shape,
                           const FewLaunch& launch) {
  KernelText text{"few", defines_of(format, shape)};
  text.defines.insert(
      text.defines.end(),
      {str_cat("NT=", launch.columns_of_tokens), str_cat("CLUSTER=", launch.cluster), str_cat("WARPS=", launch.warps),
       str_cat("AHEAD=", launch.ahead), str_cat("BLOCKS=", launch.blocks), str_cat("BUFFERS=", launch.buffers)});
  kernel_ = device.kernel(text, "few");
  device.allow_shared_bytes(kernel_, launch.shared_bytes);
  const int clusters = std::min(few_groups(launch, shape), most_clusters(launch, device));
  launch_.grid.x = static_cast<unsigned>(clusters * launch.cluster);
  launch_.threads = static_cast<unsigned>(32 * launch.warps);
  launch_.shared_bytes = static_cast<unsigned>(launch.shared_bytes);
  launch_.cluster = static_cast<unsigned>(launch.cluster);
}

void FusedProduct::launch(Device& device, const FusedArgs& args) const { device.launch_as(kernel_, launch_, args); }

}  // namespace emelex::cuda
