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
constexpr int kFewWarps = 8;  // of a block of few.cu

constexpr int divided(int n, int by) { return (n + by - 1) / by; }

std::vector<std::string> defines_of(const PackedFormat& format, const FusedShape& shape) {
  std::vector<std::string> defines = format.defines();
  defines.insert(defines.end(), {str_cat("COLUMNS=", shape.columns), str_cat("GATED=", shape.gated ? 1 : 0),
                                 str_cat("NORMED=", shape.normed ? 1 : 0)});
  return defines;
}

// few.cu's struct Shared.
int few_shared_bytes(int slice, int tokens, bool gated) {
  const int x = tokens * (slice + 32) * 2;
  const int sums = (gated ? 2 : 1) * tokens * kFewWarps * TILE_ROWS * 4;
  return x + sums + tokens * 8;
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
  const int column_tiles = divided(shape.columns, TILE_COLUMNS);
  const auto slice_tiles = [&] { return divided(column_tiles, launch.cluster); };
  launch.cluster = 1;
  while (launch.cluster < 8 && groups * launch.cluster < device.processors() * 3 / 4) launch.cluster *= 2;
  const auto set_shared_bytes = [&] {
    launch.shared_bytes = few_shared_bytes(slice_tiles() * TILE_COLUMNS, launch.columns_of_tokens * 8, shape.gated);
  };
  set_shared_bytes();
  while (launch.cluster < 8 && launch.shared_bytes > kMostSharedBytes) {
    launch.cluster *= 2;
    set_shared_bytes();
  }
  if (launch.shared_bytes > kMostSharedBytes) return std::nullopt;
  launch.ahead = format.bits == 4 && shape.gated && tokens <= 8 ? 8 : format.bits == 16 ? 2 : 4;
  while (launch.ahead > 2 && slice_tiles() % launch.ahead != 0) --launch.ahead;
  launch.blocks = shape.gated || launch.shared_bytes > kMostSharedBytes / 2 ? 1 : 2;
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
  text.defines.insert(text.defines.end(), {str_cat("NT=", launch.columns_of_tokens),
                                           str_cat("CLUSTER=", launch.cluster), str_cat("WARPS=", kFewWarps),
                                           str_cat("AHEAD=", launch.ahead), str_cat("BLOCKS=", launch.blocks)});
  kernel_ = device.kernel(text, "few");
  device.allow_shared_bytes(kernel_, launch.shared_bytes);
  const int most = std::max(1, launch.blocks * device.processors() / launch.cluster);
  const int clusters = std::min(divided(shape.row_tiles, kFewWarps), most);
  launch_.grid.x = static_cast<unsigned>(clusters * launch.cluster);
  launch_.threads = 32 * kFewWarps;
  launch_.shared_bytes = static_cast<unsigned>(launch.shared_bytes);
  launch_.cluster = static_cast<unsigned>(launch.cluster);
}

void FusedProduct::launch(Device& device, const FusedArgs& args) const { device.launch_as(kernel_, launch_, args); }

}  // namespace emelex::cuda
