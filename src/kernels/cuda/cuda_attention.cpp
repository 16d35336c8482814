#include "kernels/cuda/cuda_attention.h"

#include <algorithm>

#include "base/strings.h"
#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_batch.h"
#include "kernels/cuda/cuda_kv_pool.h"
#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {
namespace {

constexpr int kPromptRows = 64;  // source/attention_prompt.cu's PROMPT_ROWS
constexpr int kPageTokens = 64;
constexpr int kStoredHeads = 8;  // by a block of source/attention.cu's `store`
constexpr int kManyRows =
    16;  // from which on a third block of a multiprocessor is quicker than registers for the queries
constexpr size_t kMostPartialBytes = size_t{64} << 20;

template <class T>
T* address(DevicePointer pointer) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(pointer));  // NOLINT(performance-no-int-to-ptr)
}

// Query heads that one block of threads computes: what its registers hold.
int heads_at_once(int group, int padded_dim) {
  int heads = padded_dim <= 128 ? 4 : padded_dim <= 256 ? 2 : 1;
  while (group % heads != 0) --heads;
  return heads;
}

// Splits of source/attention_single.cu in steps whose tokens have up to `tokens` before them.
int single_splits(int tokens) {
  constexpr int kLong = 4096;
  const int pages = (tokens + kPageTokens - 1) / kPageTokens;
  return tokens <= kLong ? pages : std::max(kLong / kPageTokens, (pages + 3) / 4);
}

DeviceMemory uploaded(const DevicePtr& device, const std::vector<float>& values) {
  DeviceMemory memory(device, values.size() * sizeof(float));
  if (!values.empty()) device->upload(memory.pointer(), values.data(), values.size() * sizeof(float));
  device->wait();
  return memory;
}

// Its number in CudaContext::ropes.
size_t rope_number(CudaContext& context, const Rope& rope) {
  const auto found =
      std::find_if(context.ropes.begin(), context.ropes.end(), [&](const auto& known) { return known.rope == rope; });
  if (found != context.ropes.end()) return static_cast<size_t>(found - context.ropes.begin());
  context.ropes.push_back(
      {rope, uploaded(context.device, rope.inv_freq), uploaded(context.device, rope.frequencies(true))});
  return context.ropes.size() - 1;
}

class CudaAttention : public AttentionOp {
 public:
  CudaAttention(CudaContextPtr context, const AttentionConfig& config, const std::vector<float>& sinks, int layer)
      : context_(std::move(context)),
        config_(config),
        layer_(static_cast<size_t>(layer)),
        rope_(rope_number(*context_, config.rope)),
        rotations_(context_->device->kernel({"elementwise", {}}, "rotations")) {
    if (!sinks.empty()) sinks_ = uploaded(context_->device, sinks);
    context_->require_arrivals(kMostGraphRows * config.n_heads);
  }

  mx::array operator()(const mx::array& q, const mx::array& k, const mx::array& v, const Batch& batch) const override {
    const CudaBatch& own = cuda_batch(batch);
    const PoolLayer& stored = own.memory->layers[layer_];
    const auto& pool = static_cast<const CudaKvPool&>(*own.memory->pools[static_cast<size_t>(stored.group)]);
    const int rows = of(q).rows();
    const DevicePointer cos_sin = rotations(own, rows);
    const auto result = make_array(context_->device, rows, of(q).columns());
    AttendArgs args = attend_args(own, stored, pool, of(result));
    if (own.is_graph) {
      attend_single(pool, args, {of(q).data(), of(k).data(), of(v).data(), cos_sin}, rows);
      return result;
    }
    const auto rotated = make_array(context_->device, rows, of(q).columns());
    args.q = address<float>(of(rotated).data());
    store(pool, args, {of(q).data(), of(k).data(), of(v).data(), cos_sin}, rows, of(rotated));
    if (is_prompt(own, pool)) {
      if (attend_prompt_ == nullptr) attend_prompt_ = kernel("attention_prompt", pool, "attend_prompt");
      const unsigned tiles = groups_of(rows, kPromptRows / heads_per_kv_head());
      context_->device->launch(attend_prompt_, {static_cast<unsigned>(config_.n_kv_heads), tiles}, 128, args);
    } else {
      attend_in_splits(pool, rows, args);
    }
    return result;
  }

 private:
  struct Inputs {
    DevicePointer q;
    DevicePointer k;
    DevicePointer v;
    DevicePointer cos_sin;
  };

  // What attention over a layer needs, but for the queries and memory of splits.
  AttendArgs attend_args(const CudaBatch& batch, const PoolLayer& stored, const CudaKvPool& pool,
                         CudaArray& out) const {
    if (pool.dtype() == KvDtype::f16) {  // a mean of float16 values is within float16's range
      out.take_halves(false);
      if (out.half_stride() != out.columns()) {
        const size_t bytes = static_cast<size_t>(out.rows()) * static_cast<size_t>(out.half_stride()) * 2;
        context_->device->clear(out.halves(), bytes);
      }
    }
    return {address<unsigned char>(batch.tables_of(stored.group)),
            nullptr,
            address<float>(sinks_.pointer()),
            address<float>(out.data()),
            address<unsigned short>(out.halves()),
            nullptr,
            pool.layer_at(stored.layer),
            config_.n_heads,
            config_.n_kv_heads,
            batch.splits,
            out.half_stride(),
            config_.window,
            config_.soft_cap,
            0};
  }

  void store(const CudaKvPool& pool, const AttendArgs& args, const Inputs& in, int rows, CudaArray& rotated) const {
    if (store_ == nullptr) store_ = kernel("attention", pool, "store");
    const StoreArgs store{args.step,
                          address<float>(in.q),
                          address<float>(in.k),
                          address<float>(in.v),
                          address<float>(in.cos_sin),
                          address<float>(rotated.data()),
                          args.layer_at,
                          config_.n_heads,
                          config_.n_kv_heads,
                          config_.rope.dim,
                          config_.rope.interleaved ? 1 : 0,
                          config_.scale};
    const auto heads = static_cast<unsigned>(config_.n_heads + 2 * config_.n_kv_heads);
    context_->device->launch(store_, {groups_of(heads, kStoredHeads), static_cast<unsigned>(rows)}, 32 * kStoredHeads,
                             store);
  }

  // One token of each sequence.
  void attend_single(const CudaKvPool& pool, AttendArgs args, const Inputs& in, int rows) const {
    Device& device = *context_->device;
    const bool many = rows >= kManyRows;
    FunctionHandle& attend = attend_single_[many ? 1 : 0];
    if (attend == nullptr) attend = kernel("attention_single", pool, "attend_single", {many ? "BLOCKS=3" : "BLOCKS=2"});
    args.splits = single_splits(args.splits * kSplitTokens);
    const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(config_.n_heads) *
                         static_cast<size_t>(args.splits) * static_cast<size_t>(config_.head_dim + 2) * sizeof(float);
    const DevicePointer partial = device.take(bytes);
    args.partial = address<float>(partial);
    const SingleAttendArgs single{args,
                                  address<float>(in.q),
                                  address<float>(in.k),
                                  address<float>(in.v),
                                  address<float>(in.cos_sin),
                                  address<int>(context_->arrivals.pointer()),
                                  config_.rope.dim,
                                  config_.rope.interleaved ? 1 : 0,
                                  config_.scale};
    const int chunks = config_.n_heads / heads_at_once(heads_per_kv_head(), pool.padded_dim());
    device.launch(attend,
                  {static_cast<unsigned>(chunks), static_cast<unsigned>(rows), static_cast<unsigned>(args.splits)}, 256,
                  single);
    device.give_back(partial, bytes);
  }

  void attend_in_splits(const CudaKvPool& pool, int rows, AttendArgs args) const {
    Device& device = *context_->device;
    const int splits = args.splits;
    if (attend_ == nullptr) attend_ = kernel("attention", pool, "attend");
    if (splits > 1 && merge_ == nullptr) merge_ = kernel("attention", pool, "merge");
    const size_t row_bytes = static_cast<size_t>(config_.n_heads) * static_cast<size_t>(splits) *
                             static_cast<size_t>(config_.head_dim + 2) * sizeof(float);
    const int rows_at_once = splits == 1 ? rows : static_cast<int>(std::max<size_t>(1, kMostPartialBytes / row_bytes));
    const size_t bytes = splits == 1 ? 0 : row_bytes * static_cast<size_t>(std::min(rows, rows_at_once));
    const DevicePointer partial = bytes == 0 ? 0 : device.take(bytes);
    args.partial = address<float>(partial);
    const int chunks = config_.n_heads / heads_at_once(heads_per_kv_head(), pool.padded_dim());
    for (int row = 0; row < rows; row += rows_at_once) {
      const auto n = static_cast<unsigned>(std::min(rows_at_once, rows - row));
      args.first_row = row;
      device.launch(attend_, {static_cast<unsigned>(chunks), n, static_cast<unsigned>(splits)}, 256, args);
      if (splits > 1) device.launch(merge_, {static_cast<unsigned>(config_.n_heads), n}, 128, args);
    }
    if (bytes > 0) device.give_back(partial, bytes);
  }

  int heads_per_kv_head() const { return config_.n_heads / config_.n_kv_heads; }

  // Whether the kernel for many tokens of a sequence, which has tensor cores, is the quicker one and takes the cache.
  bool is_prompt(const CudaBatch& batch, const CudaKvPool& pool) const {
    constexpr int kFewTokens = 8;
    const auto sequences = static_cast<int>(batch.step().sequences.size());
    return !batch.is_graph && batch.tokens() >= kFewTokens * sequences && heads_per_kv_head() <= kPromptRows &&
           pool.dtype() == KvDtype::f16 && pool.padded_dim() <= 128;
  }

  FunctionHandle kernel(const char* file, const CudaKvPool& pool, const char* name,
                        const std::vector<std::string>& defines = {}) const {
    const int group = heads_per_kv_head();
    KernelText text{file,
                    {str_cat("HEAD_DIM=", config_.head_dim), str_cat("PADDED_DIM=", pool.padded_dim()),
                     str_cat("GROUP=", group), str_cat("HEADS=", heads_at_once(group, pool.padded_dim())),
                     str_cat("KV=", pool.dtype() == KvDtype::f16 ? 16 : 32)}};
    text.defines.insert(text.defines.end(), defines.begin(), defines.end());
    return context_->device->kernel(text, name);
  }

  // Of the batch's tokens, computed by the first layer that asks.
  DevicePointer rotations(const CudaBatch& batch, int rows) const {
    const DeviceRope& own = context_->ropes[rope_];
    const Rope& rope = own.rope;
    if (rope.dim == 0) return 0;
    std::optional<mx::array>& known = batch.rotations[rope_];
    if (!known) {
      known.emplace(make_array(context_->device, rows, rope.dim));
      context_->device->launch(rotations_, {static_cast<unsigned>(rows)}, 128, batch.tables, own.frequencies.pointer(),
                               own.long_frequencies.pointer(), rope.dim, rope.scale, of(*known).data());
    }
    return of(*known).data();
  }

  CudaContextPtr context_;
  AttentionConfig config_;
  size_t layer_;
  size_t rope_;  // in CudaContext::ropes
  DeviceMemory sinks_;
  FunctionHandle rotations_;
  // Compiled at their first use, which tells the cache's type.
  mutable FunctionHandle store_ = nullptr;
  mutable FunctionHandle attend_ = nullptr;
  mutable FunctionHandle merge_ = nullptr;
  mutable FunctionHandle attend_prompt_ = nullptr;
  mutable FunctionHandle attend_single_[2] = {};  // of few rows and of many
};

}  // namespace

std::unique_ptr<AttentionOp> make_cuda_attention(CudaContextPtr context, const AttentionConfig& config,
                                                 const std::vector<float>& sinks, int layer) {
  return std::make_unique<CudaAttention>(std::move(context), config, sinks, layer);
}

}  // namespace emelex::cuda
