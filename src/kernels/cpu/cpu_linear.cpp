#include "kernels/cpu/cpu_linear.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cpu/cpu_batch.h"
#include "kernels/cpu/cpu_matrix.h"
#include "kernels/cpu/cpu_op.h"
#include "kernels/matrix_size.h"

namespace emelex::cpu {
namespace {

// A worker's, so that it stays in the caches of a core until it is used.
constexpr size_t kReadAheadBytes = 256 << 10;

struct Chunk {
  int matrix;
  int row_begin;
  int row_end;
};

// The matrices, and how the work on them is cut.
struct Plan : Packable {
  void pack_before(int step) override;

  CpuContextPtr context;
  std::vector<CpuMatrix> matrices;
  std::vector<std::vector<float>> biases;  // of each matrix; empty where it has none
  std::vector<Chunk> chunks;
  int columns = 0;
  bool any_float32 = false;  // of the matrices' Activations
  bool any_int8 = false;
  bool any_bf16 = false;
  bool any_tiles = false;  // whether a matrix is multiplied by tiles; those that are not take the same activations
  std::shared_ptr<FirstReads> first_reads = std::make_shared<FirstReads>();
  int packing_step = 0;   // CpuBatch::few_token_step before which the matrices are packed
  bool has_ways = false;  // of reading: int8 kernels have, for packed matrices
  PackedReadingTrials reading;
};

// Packing takes as long as reading the matrices a few times. It pays where tokens are generated one after another, and
// is done then, a part of the matrices before each of the first steps, so that the first token does not wait for it and
// a model that only reads a prompt is not packed at all.
constexpr int kFirstPackingStep = 2;
constexpr int kPackingSteps = 16;

std::vector<Chunk> make_chunks(const std::vector<CpuMatrix>& matrices, int threads) {
  int groups = 0;
  for (const auto& m : matrices) groups += (m.rows + kLanes - 1) / kLanes;
  const int step = chunk_rows(groups, threads);
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < matrices.size(); ++i) {
    for (int row = 0; row < matrices[i].rows; row += step) {
      chunks.push_back({static_cast<int>(i), row, std::min(row + step, matrices[i].rows)});
    }
  }
  return chunks;
}

void find_first_reads(Plan& plan) {
  const ThreadPool& pool = plan.context->pool;
  plan.first_reads->of_worker.clear();
  const auto n_chunks = static_cast<int>(plan.chunks.size());
  const auto chunk = [&](int i) -> const Chunk& { return plan.chunks[static_cast<size_t>(i)]; };
  for (int worker = 0; worker < pool.size(); ++worker) {
    const int first = pool.first_index(n_chunks, worker);
    int end = first;  // of the worker's part that is of one matrix
    while (end < pool.first_index(n_chunks, worker + 1) && chunk(end).matrix == chunk(first).matrix) ++end;
    auto& reads = plan.first_reads->of_worker.emplace_back();
    if (first == end) continue;
    const CpuMatrix& matrix = plan.matrices[static_cast<size_t>(chunk(first).matrix)];
    const auto bytes = matrix.bytes_of(plan.context->kernels, chunk(first).row_begin, chunk(end - 1).row_end);
    reads = bytes.first(std::min(bytes.size(), kReadAheadBytes));
  }
}

// The activations in the forms that the kernels take, in the task's scratch.
struct Prepared {
  QuantizedActivations quantized{};
  uint16_t* bf16;
  const float* x;
  int x_stride;
};

Prepared prepare(const Plan& plan, const float* x, int tokens) {
  CpuContext& context = *plan.context;
  const int columns = plan.columns;
  const int padded = whole_lanes(columns);
  const auto stride = static_cast<size_t>(padded);
  const bool pad = plan.any_float32 && padded != columns;
  const size_t padded_floats = pad ? static_cast<size_t>(tokens) * stride : 0;
  const size_t quantized_bytes = plan.any_int8 ? QuantizedActivations::bytes(tokens, columns) : 0;
  const size_t bf16_values = plan.any_bf16 ? static_cast<size_t>(tokens) * stride : 0;
  std::byte* memory =
      context.task_scratch.get(padded_floats * sizeof(float) + bf16_values * sizeof(uint16_t) + quantized_bytes);

  Prepared prepared{{}, reinterpret_cast<uint16_t*>(memory + padded_floats * sizeof(float)), x, columns};
  if (pad) {
    auto* rows = reinterpret_cast<float*>(memory);
    std::memset(rows, 0, padded_floats * sizeof(float));
    for (int t = 0; t < tokens; ++t) {
      std::memcpy(rows + static_cast<size_t>(t) * stride, x + static_cast<size_t>(t) * static_cast<size_t>(columns),
                  static_cast<size_t>(columns) * sizeof(float));
    }
    prepared.x = rows;
    prepared.x_stride = padded;
  }
  if (plan.any_int8) {
    prepared.quantized = QuantizedActivations::over(reinterpret_cast<std::byte*>(prepared.bf16 + bf16_values), tokens,
                                                    columns, plan.any_tiles ? kTileTokens : context.kernels.max_tile);
  }
  if (plan.any_int8 || plan.any_bf16) {
    context.pool.for_each(tokens, [&](int t, int) {
      const auto token = static_cast<size_t>(t);
      const float* row = x + token * static_cast<size_t>(columns);
      if (plan.any_int8) context.kernels.quantize_activations(row, t, prepared.quantized);
      if (plan.any_bf16) context.kernels.bf16.round(row, columns, prepared.bf16 + token * stride);
    });
  }
  return prepared;
}

// Of chunks for many tokens, how many a worker takes together where products of tiles read the tokens once for all of
// them.
int chunks_at_once(int n_chunks, int threads) {
  constexpr int kMost = 4;
  constexpr int kTurnsPerThread = 4;
  return std::clamp(n_chunks / (threads * kTurnsPerThread), 1, kMost);
}

// Of chunks [begin, end), those of the first one's matrix as one.
Chunk rest_of_matrix(const Plan& plan, int begin, int end) {
  Chunk all = plan.chunks[static_cast<size_t>(begin)];
  for (int i = begin; i < end && plan.chunks[static_cast<size_t>(i)].matrix == all.matrix; ++i) {
    all.row_end = plan.chunks[static_cast<size_t>(i)].row_end;
  }
  return all;
}

void Plan::pack_before(int step) {
  if (step != packing_step) return;
  for (CpuMatrix& matrix : matrices) {
    pack_matrix(*context, matrix);
    has_ways |= matrix.packed != nullptr && matrix.activations == Activations::int8;
  }
  find_first_reads(*this);
}

// What is multiplied, and where the results go.
struct Operands {
  const float* x;  // [tokens, columns]
  int tokens;
  const float* residual;  // [tokens, rows], or nullptr
  float* const* outputs;
};

// `next`: what to read ahead, or nullptr.
void compute(const Plan& plan, const Operands& operands, const FirstReads* next) {
  const int tokens = operands.tokens;
  float* const* outputs = operands.outputs;
  CpuContext& context = *plan.context;
  const Prepared prepared = prepare(plan, operands.x, tokens);
  const size_t scratch_bytes = matmul_scratch_bytes(plan.columns);
  const auto compute_chunk = [&](const Chunk& chunk, int worker) {
    const CpuMatrix& matrix = plan.matrices[static_cast<size_t>(chunk.matrix)];
    MatmulArgs args = matrix.args();
    args.activations = prepared.quantized;
    args.x = prepared.x;
    args.x_stride = prepared.x_stride;
    args.bf16_x = prepared.bf16;
    args.tokens = tokens;
    args.out = outputs[chunk.matrix];
    args.residual = operands.residual;
    args.prefetch_distance = plan.reading.reading().prefetch_distance;
    args.streams = plan.reading.reading().streams;
    args.tiled = plan.any_tiles ? context.kernels.tiled : nullptr;
    matrix.matmul(args, chunk.row_begin, chunk.row_end,
                  context.worker_scratch[static_cast<size_t>(worker)].get(scratch_bytes));
    add_bias(plan.biases[static_cast<size_t>(chunk.matrix)], chunk.row_begin, chunk.row_end, tokens,
             outputs[chunk.matrix]);
    if (next != nullptr) context.pool.read_ahead(worker, next->of_worker[static_cast<size_t>(worker)]);
  };
  const auto compute_chunks = [&](int begin, int end, int worker) {
    while (begin < end) {
      const Chunk chunk = rest_of_matrix(plan, begin, end);
      compute_chunk(chunk, worker);
      while (begin < end && plan.chunks[static_cast<size_t>(begin)].matrix == chunk.matrix) ++begin;
    }
  };
  const auto n_chunks = static_cast<int>(plan.chunks.size());
  if (tokens <= kFewTokens) {
    context.pool.for_runs(n_chunks, compute_chunks);
  } else {
    const int at_once = plan.any_tiles ? chunks_at_once(n_chunks, context.pool.size()) : 1;
    context.pool.for_each((n_chunks + at_once - 1) / at_once, [&](int i, int worker) {
      compute_chunks(i * at_once, std::min((i + 1) * at_once, n_chunks), worker);
    });
  }
}

void multiply(Plan& plan, const Operands& operands, const CpuBatch& batch) {
  std::shared_ptr<const FirstReads> next;
  if (batch.order) {
    batch.order->push_back(plan.first_reads);
    next = plan.first_reads->next.lock();
  }
  // Not with the step that packs: what was packed just now is in a cache yet.
  const bool tries =
      operands.tokens == 1 && plan.has_ways && !plan.reading.settled() && batch.few_token_step != plan.packing_step;
  if (!tries) {
    compute(plan, operands, next.get());
    return;
  }
  const auto start = std::chrono::steady_clock::now();
  compute(plan, operands, next.get());
  plan.reading.took(std::chrono::steady_clock::now() - start);
  if (plan.reading.settled()) plan.context->reading = plan.reading.reading();
}

class CpuLinear : public Linear {
 public:
  CpuLinear(CpuContextPtr context, const std::vector<Matrix>& matrices) : plan_(std::make_shared<Plan>()) {
    plan_->columns = matrix_size(*matrices.front().weight).columns;
    for (const Matrix& matrix : matrices) {
      const Tensor& tensor = *matrix.weight;
      if (tensor.columns() != plan_->columns) {
        throw Error(ErrorCode::internal,
                    str_cat("[kernels] ", tensor.name, " has another number of columns than its peers"));
      }
      plan_->matrices.push_back(make_matrix(*context, tensor));
      auto& bias = plan_->biases.emplace_back();
      if (matrix.bias != nullptr) {
        bias.resize(static_cast<size_t>(tensor.rows()));
        matrix.bias->read_rows(0, bias);
      }
      const Activations activations = plan_->matrices.back().activations;
      plan_->any_float32 |= activations == Activations::float32;
      plan_->any_int8 |= activations == Activations::int8;
      plan_->any_bf16 |= activations == Activations::bf16;
      plan_->any_tiles |= plan_->matrices.back().tiles;
    }
    plan_->chunks = make_chunks(plan_->matrices, context->pool.size());
    plan_->packing_step = kFirstPackingStep + static_cast<int>(context->packables.size()) % kPackingSteps;
    context->packables.push_back(plan_);
    plan_->context = std::move(context);
    find_first_reads(*plan_);
  }

  std::vector<mx::array> operator()(const mx::array& x, const Batch& batch) const override {
    const int tokens = x.shape(0);
    std::vector<mx::Shape> shapes;
    for (const auto& m : plan_->matrices) shapes.push_back({tokens, m.rows});
    return make_op("matmul", shapes, {x}, [&](const float* const* in, float* const* out) {
      multiply(*plan_, {in[0], tokens, nullptr, out}, cpu_batch(batch));
    });
  }

  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    const int tokens = x.shape(0);
    return make_op("matmul_add", mx::Shape{tokens, plan_->matrices.front().rows}, {x, residual},
                   [&](const float* const* in, float* const* out) {
                     multiply(*plan_, {in[0], tokens, in[1], out}, cpu_batch(batch));
                   });
  }

 private:
  std::shared_ptr<Plan> plan_;  // measures how to read packed matrices while it computes
};

}  // namespace

std::unique_ptr<Linear> make_linear(CpuContextPtr context, const std::vector<Matrix>& matrices) {
  return std::make_unique<CpuLinear>(std::move(context), matrices);
}

}  // namespace emelex::cpu
