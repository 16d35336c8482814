#include "kernels/cpu/cpu_linear.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cpu/cpu_op.h"

namespace emelex::cpu {
namespace {

// Chunks of rows per thread: enough that a thread which was held up costs little, few enough that taking them does.
constexpr int kChunksPerThread = 32;

// Reading ahead is for products that wait for memory, not for those of many tokens, which wait for arithmetic.
constexpr int kMostTokensToReadAhead = 8;
// A worker's, so that it stays in the caches of a core until it is used.
constexpr size_t kReadAheadBytes = 256 << 10;

struct CpuMatrix {
  std::shared_ptr<const void> file;
  const std::byte* data;
  size_t row_bytes;
  int rows;
  MatmulFn matmul;
  bool int8;  // whether it takes rounded activations
  MlxScales mlx{};
};

struct Chunk {
  int matrix;
  int row_begin;
  int row_end;
};

// The matrices, and how the work on them is cut.
struct Plan {
  CpuContextPtr context;
  std::vector<CpuMatrix> matrices;
  std::vector<Chunk> chunks;
  int columns;
  bool any_int8 = false;
  bool any_float = false;
  std::shared_ptr<FirstReads> first_reads;
};

// The kernel for a tensor's type, or nullptr.
MatmulFn find_kernel(const KernelTable& kernels, const Tensor& tensor, bool int8) {
  if (!tensor.mlx) return (int8 ? kernels.int8_matmul : kernels.float_matmul)[static_cast<int>(tensor.type)];
  // Of MLX's groups some are narrower than the activations' blocks.
  if (int8 && tensor.columns() % kActivationBlock != 0) return nullptr;
  const int kernel = mlx_kernel(tensor.mlx->format);  // apart: g++ 12 with sanitizers warns of the whole expression
  return int8 ? kernels.mlx_int8_matmul[kernel] : kernels.mlx_float_matmul[kernel];
}

MlxScales scales_of(const Tensor& tensor) {
  if (!tensor.mlx) return {};
  const MlxParts& parts = *tensor.mlx;
  return {parts.scales.data(), parts.biases.data(), mlx_scale_row_bytes(parts.format, tensor.columns()), parts.format};
}

CpuMatrix make_matrix(const CpuContext& context, const Tensor& tensor) {
  const MatmulFn int8 = context.int8_activations ? find_kernel(context.kernels, tensor, true) : nullptr;
  const MatmulFn kernel = int8 != nullptr ? int8 : find_kernel(context.kernels, tensor, false);
  if (kernel == nullptr) {
    throw Error(ErrorCode::unsupported,
                str_cat("[kernels] no CPU kernel for the type ", tensor.type_name(), " of ", tensor.name));
  }
  return {tensor.file, tensor.data.data(), tensor.row_bytes(), static_cast<int>(tensor.rows()),
          kernel,      int8 != nullptr,    scales_of(tensor)};
}

std::vector<Chunk> make_chunks(const std::vector<CpuMatrix>& matrices, int threads) {
  int groups = 0;
  for (const auto& m : matrices) groups += (m.rows + kLanes - 1) / kLanes;
  // Whole pairs of groups, as the kernels like them.
  const int chunk_rows = std::max(1, groups / (threads * kChunksPerThread * kMaxRowGroups)) * kMaxRowGroups * kLanes;
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < matrices.size(); ++i) {
    for (int row = 0; row < matrices[i].rows; row += chunk_rows) {
      chunks.push_back({static_cast<int>(i), row, std::min(row + chunk_rows, matrices[i].rows)});
    }
  }
  return chunks;
}

std::shared_ptr<FirstReads> find_first_reads(const Plan& plan, const ThreadPool& pool) {
  auto reads = std::make_shared<FirstReads>();
  const auto n_chunks = static_cast<int>(plan.chunks.size());
  for (int worker = 0; worker < pool.size(); ++worker) {
    const int first = pool.first_index(n_chunks, worker);
    const int end = pool.first_index(n_chunks, worker + 1);
    if (first == end) {
      reads->of_worker.emplace_back();
      continue;
    }
    const Chunk& chunk = plan.chunks[static_cast<size_t>(first)];
    const CpuMatrix& m = plan.matrices[static_cast<size_t>(chunk.matrix)];
    int row_end = chunk.row_end;
    for (int i = first; i < end && plan.chunks[static_cast<size_t>(i)].matrix == chunk.matrix; ++i) {
      row_end = plan.chunks[static_cast<size_t>(i)].row_end;
    }
    const size_t bytes = static_cast<size_t>(row_end - chunk.row_begin) * m.row_bytes;
    reads->of_worker.emplace_back(m.data + static_cast<size_t>(chunk.row_begin) * m.row_bytes,
                                  std::min(bytes, kReadAheadBytes));
  }
  return reads;
}

// What to read ahead while `plan` is computed; notes that it is.
std::shared_ptr<const FirstReads> next_reads(const Plan& plan) {
  if (const auto last = plan.context->last_product.lock()) last->next = plan.first_reads;
  plan.context->last_product = plan.first_reads;
  return plan.first_reads->next.lock();
}

// The activations in the forms that the kernels take, in the task's scratch.
struct Prepared {
  QuantizedActivations quantized{};
  const float* x;
  int x_stride;
};

Prepared prepare(const Plan& plan, const float* x, int tokens) {
  CpuContext& context = *plan.context;
  const int columns = plan.columns;
  const int padded = (columns + kLanes - 1) / kLanes * kLanes;
  const bool pad = plan.any_float && padded != columns;
  const size_t padded_floats = pad ? static_cast<size_t>(tokens) * static_cast<size_t>(padded) : 0;
  const size_t quantized_bytes = plan.any_int8 ? QuantizedActivations::bytes(tokens, columns) : 0;
  std::byte* memory = context.task_scratch.get(padded_floats * sizeof(float) + quantized_bytes);

  Prepared prepared{{}, x, columns};
  if (pad) {
    auto* rows = reinterpret_cast<float*>(memory);
    std::memset(rows, 0, padded_floats * sizeof(float));
    for (int t = 0; t < tokens; ++t) {
      std::memcpy(rows + static_cast<size_t>(t) * static_cast<size_t>(padded),
                  x + static_cast<size_t>(t) * static_cast<size_t>(columns),
                  static_cast<size_t>(columns) * sizeof(float));
    }
    prepared.x = rows;
    prepared.x_stride = padded;
  }
  if (plan.any_int8) {
    prepared.quantized = QuantizedActivations::over(memory + padded_floats * sizeof(float), tokens, columns);
    context.pool.for_each(tokens, [&](int t, int) {
      context.kernels.quantize_activations(x + static_cast<size_t>(t) * static_cast<size_t>(columns), t,
                                           prepared.quantized);
    });
  }
  return prepared;
}

void multiply(const Plan& plan, const float* x, int tokens, const float* residual, float* const* outputs) {
  CpuContext& context = *plan.context;
  const Prepared prepared = prepare(plan, x, tokens);
  const size_t scratch_bytes = matmul_scratch_bytes(plan.columns);
  const auto next = tokens <= kMostTokensToReadAhead ? next_reads(plan) : nullptr;
  context.pool.for_each(static_cast<int>(plan.chunks.size()), [&](int index, int worker) {
    const Chunk& chunk = plan.chunks[static_cast<size_t>(index)];
    const CpuMatrix& m = plan.matrices[static_cast<size_t>(chunk.matrix)];
    const MatmulArgs args{m.data,     m.row_bytes,       m.rows, plan.columns,          prepared.quantized,
                          prepared.x, prepared.x_stride, tokens, outputs[chunk.matrix], residual,
                          m.mlx};
    m.matmul(args, chunk.row_begin, chunk.row_end,
             context.worker_scratch[static_cast<size_t>(worker)].get(scratch_bytes));
    if (next != nullptr) context.pool.read_ahead(worker, next->of_worker[static_cast<size_t>(worker)]);
  });
}

class CpuLinear : public Linear {
 public:
  CpuLinear(CpuContextPtr context, const std::vector<const Tensor*>& matrices) {
    plan_.columns = static_cast<int>(matrices.front()->columns());
    for (const Tensor* tensor : matrices) {
      if (tensor->columns() != plan_.columns) {
        throw Error(ErrorCode::internal,
                    str_cat("[kernels] ", tensor->name, " has another number of columns than its peers"));
      }
      plan_.matrices.push_back(make_matrix(*context, *tensor));
      (plan_.matrices.back().int8 ? plan_.any_int8 : plan_.any_float) = true;
    }
    plan_.chunks = make_chunks(plan_.matrices, context->pool.size());
    plan_.first_reads = find_first_reads(plan_, context->pool);
    plan_.context = std::move(context);
  }

  std::vector<mx::array> operator()(const mx::array& x) const override {
    const int tokens = x.shape(0);
    std::vector<mx::Shape> shapes;
    for (const auto& m : plan_.matrices) shapes.push_back({tokens, m.rows});
    return make_op("matmul", shapes, {x},
                   [&](const float* const* in, float* const* out) { multiply(plan_, in[0], tokens, nullptr, out); });
  }

  mx::array add_to(const mx::array& residual, const mx::array& x) const override {
    const int tokens = x.shape(0);
    return make_op("matmul_add", mx::Shape{tokens, plan_.matrices.front().rows}, {x, residual},
                   [&](const float* const* in, float* const* out) { multiply(plan_, in[0], tokens, in[1], out); });
  }

 private:
  Plan plan_;
};

}  // namespace

std::unique_ptr<Linear> make_linear(CpuContextPtr context, const std::vector<const Tensor*>& matrices) {
  return std::make_unique<CpuLinear>(std::move(context), matrices);
}

}  // namespace emelex::cpu
