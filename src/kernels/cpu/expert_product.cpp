#include "kernels/cpu/expert_product.h"

#include <algorithm>
#include <cstring>

namespace emelex::cpu {
namespace {

// Uses for few tokens after which an expert's matrices are packed: spread, so that no step packs them all, and late
// enough that an expert which is seldom asked stays in the file (docs/decisions/0009-packed-matrices.md).
constexpr int kFirstPackingUse = 2;
constexpr int kPackingUses = 16;

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

struct Chunk {
  const Routing::Group* group;
  const ExpertOutput* output;
  const QuantizedActivations* quantized;
  int row_begin;
  int row_end;
};

// The inputs of all groups in the forms that the kernels take: one row after another as float32, and rounded, each
// group by itself.
struct Prepared {
  float* x;                                     // [rows, whole_lanes(columns)]
  uint16_t* bf16;                               // [rows, whole_lanes(columns)]
  std::vector<QuantizedActivations> quantized;  // [groups]
};

bool any(const Routing& routing, std::span<const ExpertOutput> outputs, Activations activations) {
  return std::any_of(routing.groups.begin(), routing.groups.end(), [&](const Routing::Group& group) {
    return std::any_of(outputs.begin(), outputs.end(), [&](const ExpertOutput& output) {
      return output.product->activations(group.expert) == activations;
    });
  });
}

Prepared prepare(CpuContext& context, const Routing& routing, const ExpertInput& input,
                 std::span<const ExpertOutput> outputs, std::byte* scratch) {
  const int columns = outputs.front().product->columns();
  const auto stride = static_cast<size_t>(whole_lanes(columns));
  const bool float32 = any(routing, outputs, Activations::float32);
  const bool int8 = any(routing, outputs, Activations::int8);
  const bool bf16 = any(routing, outputs, Activations::bf16);
  Prepared prepared{};
  prepared.x = reinterpret_cast<float*>(scratch);
  scratch += aligned(routing.tokens.size() * stride * sizeof(float));
  prepared.bf16 = reinterpret_cast<uint16_t*>(scratch);
  scratch += aligned(routing.tokens.size() * stride * sizeof(uint16_t));
  std::vector<int> group_of_row;
  for (size_t g = 0; g < routing.groups.size(); ++g) {
    const int count = routing.groups[g].count;
    group_of_row.insert(group_of_row.end(), static_cast<size_t>(count), static_cast<int>(g));
    const bool tiles = std::any_of(outputs.begin(), outputs.end(), [&](const ExpertOutput& output) {
      return output.product->matrix(routing.groups[g].expert).tiles;
    });
    const int max_tile = tiles ? kTileTokens : context.kernels.max_tile;
    prepared.quantized.push_back(int8 ? QuantizedActivations::over(scratch, count, columns, max_tile)
                                      : QuantizedActivations{});
    scratch += aligned(QuantizedActivations::bytes(count, columns));
  }
  context.pool.for_each(static_cast<int>(routing.tokens.size()), [&](int row, int) {
    const auto r = static_cast<size_t>(row);
    const auto from = static_cast<size_t>(input.tokens.empty() ? row : input.tokens[r]);
    const float* x = input.x + from * static_cast<size_t>(columns);
    if (float32) {
      std::memcpy(prepared.x + r * stride, x, static_cast<size_t>(columns) * sizeof(float));
      std::fill(prepared.x + r * stride + columns, prepared.x + (r + 1) * stride, 0.0F);
    }
    if (int8) {
      const auto g = static_cast<size_t>(group_of_row[r]);
      context.kernels.quantize_activations(x, row - routing.groups[g].first, prepared.quantized[g]);
    }
    if (bf16) context.kernels.bf16.round(x, columns, prepared.bf16 + r * stride);
  });
  return prepared;
}

std::vector<Chunk> make_chunks(const Routing& routing, std::span<const ExpertOutput> outputs, const Prepared& prepared,
                               int threads) {
  int row_groups = 0;
  for (const ExpertOutput& output : outputs) row_groups += (output.product->rows() + kLanes - 1) / kLanes;
  row_groups *= static_cast<int>(routing.groups.size());
  const int step = chunk_rows(row_groups, threads);
  std::vector<Chunk> chunks;
  for (size_t g = 0; g < routing.groups.size(); ++g) {
    for (const ExpertOutput& output : outputs) {
      const int rows = output.product->rows();
      for (int row = 0; row < rows; row += step) {
        chunks.push_back({&routing.groups[g], &output, &prepared.quantized[g], row, std::min(row + step, rows)});
      }
    }
  }
  return chunks;
}

}  // namespace

ExpertProduct::ExpertProduct(CpuContext& context, const std::vector<Matrix>& matrices) {
  auto turn = static_cast<int>(context.packables.size());
  for (const Matrix& matrix : matrices) {
    matrices_.push_back(make_matrix(context, *matrix.weight));
    auto& bias = biases_.emplace_back();
    if (matrix.bias != nullptr) {
      bias.resize(static_cast<size_t>(matrix.weight->rows()));
      matrix.bias->read_rows(0, bias);
    }
    uses_to_packing_.push_back(kFirstPackingUse + turn++ % kPackingUses);
  }
}

void ExpertProduct::pack_used(CpuContext& context) {
  for (size_t i = 0; i < matrices_.size(); ++i) {
    if (uses_to_packing_[i] <= 0) pack_matrix(context, matrices_[i]);
  }
}

size_t expert_scratch_bytes(const Routing& routing, int columns) {
  const size_t values = routing.tokens.size() * static_cast<size_t>(whole_lanes(columns));
  size_t bytes = aligned(values * sizeof(float)) + aligned(values * sizeof(uint16_t));
  for (const auto& group : routing.groups) bytes += aligned(QuantizedActivations::bytes(group.count, columns));
  return bytes;
}

void multiply_experts(CpuContext& context, const Routing& routing, const ExpertInput& input,
                      std::span<const ExpertOutput> outputs, std::byte* scratch) {
  const Prepared prepared = prepare(context, routing, input, outputs, scratch);
  const std::vector<Chunk> chunks = make_chunks(routing, outputs, prepared, context.pool.size());
  const int columns = outputs.front().product->columns();
  const auto stride = static_cast<size_t>(whole_lanes(columns));
  context.pool.for_each(static_cast<int>(chunks.size()), [&](int index, int worker) {
    const Chunk& chunk = chunks[static_cast<size_t>(index)];
    const CpuMatrix& matrix = chunk.output->product->matrix(chunk.group->expert);
    const auto first = static_cast<size_t>(chunk.group->first);
    MatmulArgs args = matrix.args();
    args.activations = *chunk.quantized;
    args.x = prepared.x + first * stride;
    args.x_stride = static_cast<int>(stride);
    args.bf16_x = prepared.bf16 + first * stride;
    args.tokens = chunk.group->count;
    args.out = chunk.output->out + first * static_cast<size_t>(matrix.rows);
    args.prefetch_distance = context.reading.prefetch_distance;
    args.streams = context.reading.streams;
    args.tiled = args.activations.max_tile == kTileTokens ? context.kernels.tiled : nullptr;
    matrix.matmul(args, chunk.row_begin, chunk.row_end,
                  context.worker_scratch[static_cast<size_t>(worker)].get(matmul_scratch_bytes(columns)));
    add_bias(chunk.output->product->bias(chunk.group->expert), chunk.row_begin, chunk.row_end, args.tokens, args.out);
  });
}

}  // namespace emelex::cpu
