#include "kernels/cuda/cuda_kv_store.h"

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_route.h"
#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {
namespace {

constexpr int kDimUnit = 64;     // heads are padded to it in the cache
constexpr int kPromptRows = 64;  // source/attention.cu's PROMPT_ROWS
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

// Pieces of the GPU's memory of one size, made some at a time.
class Pieces {
 public:
  Pieces(DevicePtr device, size_t bytes) : device_(std::move(device)), bytes_(bytes) {}

  void grow(int count) {
    if (bytes_ == 0 || count <= made_) return;
    const int more = count - made_;
    memory_.emplace_back(device_, bytes_ * static_cast<size_t>(more));
    const DevicePointer first = memory_.back().pointer();
    device_->clear(first, memory_.back().bytes());
    for (int i = more - 1; i >= 0; --i) free_.push_back(first + static_cast<size_t>(i) * bytes_);
    made_ = count;
  }
  DevicePointer take() {
    if (bytes_ == 0) return 0;
    const DevicePointer piece = free_.back();
    free_.pop_back();
    return piece;
  }
  void give_back(DevicePointer piece) {
    if (bytes_ > 0) free_.push_back(piece);
  }
  size_t piece_bytes() const { return bytes_; }
  int64_t bytes() const { return made_ * static_cast<int64_t>(bytes_); }

 private:
  DevicePtr device_;
  size_t bytes_;
  std::vector<DeviceMemory> memory_;
  std::vector<DevicePointer> free_;
  int made_ = 0;
};

// What attention with one config needs, made once.
struct Prepared {
  std::shared_ptr<const AttentionConfig> config;  // kept, so that its address stays its own
  DeviceMemory frequencies;
  DeviceMemory longer_frequencies;
  StepPtr step;                        // that `rotations` is of
  std::optional<mx::array> rotations;  // [rows, rope.dim]
};

class CudaKvStore : public KvStore, public BlockMap {
 public:
  CudaKvStore(CudaContextPtr context, const KvShape& shape)
      : context_(std::move(context)),
        shape_(shape),
        padded_dim_(cached_head_dim(shape.head_dim)),
        layer_bytes_(size_t{2} * static_cast<size_t>(shape.n_kv_heads) * kBlockTokens *
                     static_cast<size_t>(padded_dim_) * (shape.dtype == KvDtype::f16 ? 2 : 4)),
        all_(context_->device, layer_bytes_ * count(shape, false)),
        windowed_(context_->device, layer_bytes_ * count(shape, true)) {
    int counts[2] = {0, 0};
    for (int layer = 0; layer < shape.n_layers; ++layer) places_.push_back(counts[shape.windowed(layer) ? 1 : 0]++);
    // One more, for the tokens that fill up a step.
    all_.grow(1);
    windowed_.grow(1);
    nowhere_ = {all_.take(), windowed_.take()};
    context_->blocks = this;
  }
  ~CudaKvStore() override {
    if (context_->blocks == this) context_->blocks = nullptr;
  }

  BlockAddresses block(int32_t number) const override {
    return number == kNoBlock ? nowhere_ : blocks_[static_cast<size_t>(number)];
  }

  void grow(int n_blocks, int n_windowed) override {
    all_.grow(n_blocks + 1);
    windowed_.grow(n_windowed + 1);
    while (static_cast<int>(blocks_.size()) < n_blocks) blocks_.push_back({all_.take(), 0});
  }
  void take_windowed(int block) override { blocks_[static_cast<size_t>(block)].windowed = windowed_.take(); }
  void drop_windowed(int block) override {
    windowed_.give_back(blocks_[static_cast<size_t>(block)].windowed);
    blocks_[static_cast<size_t>(block)].windowed = 0;
  }
  int64_t bytes() const override { return all_.bytes() + windowed_.bytes(); }

  void copy_block(int from, int to, int) override {
    const BlockAddresses& source = blocks_[static_cast<size_t>(from)];
    const BlockAddresses& target = blocks_[static_cast<size_t>(to)];
    if (all_.piece_bytes() > 0) context_->device->copy(target.all, source.all, all_.piece_bytes());
    if (windowed_.piece_bytes() > 0 && source.windowed != 0 && target.windowed != 0) {
      context_->device->copy(target.windowed, source.windowed, windowed_.piece_bytes());
    }
  }

  mx::array attend(const std::shared_ptr<const AttentionConfig>& config, int layer, const mx::array& q,
                   const mx::array& k, const mx::array& v, const std::vector<float>& sinks,
                   const StepPtr& step) override {
    Device& device = *context_->device;
    const DevicePointer tables = context_->step_tables(step);
    const int rows = of(q).rows();
    const auto layer_at =
        static_cast<long long>(places_[static_cast<size_t>(layer)]) * static_cast<long long>(layer_bytes_);
    const KernelText text = kernels(*config);
    Prepared& prepared = prepare(config);
    const DevicePointer cos_sin = rotations(prepared, step, rows);
    const auto rotated = make_array(context_->device, rows, of(q).columns());
    const StoreArgs store{address<unsigned char>(tables),
                          address<float>(of(q).data()),
                          address<float>(of(k).data()),
                          address<float>(of(v).data()),
                          address<float>(cos_sin),
                          address<float>(of(rotated).data()),
                          layer_at,
                          config->n_heads,
                          config->n_kv_heads,
                          config->rope.dim,
                          config->rope.interleaved ? 1 : 0,
                          shape_.windowed(layer) ? 1 : 0,
                          config->scale};
    const auto heads = static_cast<unsigned>(config->n_heads + 2 * config->n_kv_heads);
    device.launch(kernel(text, "store"), {heads, static_cast<unsigned>(rows)}, 64, store);
    const int splits = context_->splits > 0 ? context_->splits : context_->tables.splits();
    return attend_rotated(*config, text, layer, rotated, sink_values(layer, sinks), splits, tables, layer_at);
  }

 private:
  static size_t count(const KvShape& shape, bool windowed) {
    size_t n = 0;
    for (int layer = 0; layer < shape.n_layers; ++layer) n += shape.windowed(layer) == windowed ? 1 : 0;
    return n;
  }

  mx::array attend_rotated(const AttentionConfig& config, const KernelText& text, int layer, const mx::array& rotated,
                           DevicePointer sinks, int splits, DevicePointer tables, long long layer_at) {
    Device& device = *context_->device;
    const int rows = of(rotated).rows();
    const auto result = make_array(context_->device, rows, of(rotated).columns());
    CudaArray& out = of(result);
    if (shape_.dtype == KvDtype::f16) {  // a mean of float16 values is within float16's range
      out.take_halves(false);
      if (out.half_stride() != out.columns()) {
        device.clear(out.halves(), static_cast<size_t>(rows) * static_cast<size_t>(out.half_stride()) * 2);
      }
    }
    AttendArgs args{address<unsigned char>(tables),
                    address<float>(of(rotated).data()),
                    address<float>(sinks),
                    address<float>(out.data()),
                    address<unsigned short>(out.halves()),
                    nullptr,
                    layer_at,
                    config.n_heads,
                    config.n_kv_heads,
                    splits,
                    out.half_stride(),
                    config.window,
                    shape_.windowed(layer) ? 1 : 0,
                    config.soft_cap,
                    0};
    const int group = config.n_heads / config.n_kv_heads;
    if (is_prompt(rows, group)) {
      const unsigned tiles = groups_of(rows, kPromptRows / group);
      device.launch(kernel(text, "attend_prompt"), {static_cast<unsigned>(config.n_kv_heads), tiles}, 128, args);
      return result;
    }
    const size_t row_bytes = static_cast<size_t>(config.n_heads) * static_cast<size_t>(splits) *
                             static_cast<size_t>(config.head_dim + 2) * sizeof(float);
    const int rows_at_once = splits == 1 ? rows : static_cast<int>(std::max<size_t>(1, kMostPartialBytes / row_bytes));
    const size_t bytes = splits == 1 ? 0 : row_bytes * static_cast<size_t>(std::min(rows, rows_at_once));
    const DevicePointer partial = bytes == 0 ? 0 : device.take(bytes);
    args.partial = address<float>(partial);
    const int chunks = config.n_heads / heads_at_once(group, padded_dim_);
    for (int row = 0; row < rows; row += rows_at_once) {
      const auto n = static_cast<unsigned>(std::min(rows_at_once, rows - row));
      args.first_row = row;
      device.launch(kernel(text, "attend"), {static_cast<unsigned>(chunks), n, static_cast<unsigned>(splits)}, 256,
                    args);
      if (splits > 1) device.launch(kernel(text, "merge"), {static_cast<unsigned>(config.n_heads), n}, 128, args);
    }
    if (bytes > 0) device.give_back(partial, bytes);
    return result;
  }

  // Whether the kernel for many tokens of a sequence, which has tensor cores, is the quicker one and takes the cache.
  bool is_prompt(int rows, int group) const {
    constexpr int kFewTokens = 8;
    return context_->splits == 0 && rows >= kFewTokens * context_->tables.sequences() && group <= kPromptRows &&
           shape_.dtype == KvDtype::f16 && padded_dim_ <= 128;
  }

  KernelText kernels(const AttentionConfig& config) const {
    const int group = config.n_heads / config.n_kv_heads;
    return {
        "attention",
        {str_cat("HEAD_DIM=", config.head_dim), str_cat("PADDED_DIM=", padded_dim_), str_cat("GROUP=", group),
         str_cat("HEADS=", heads_at_once(group, padded_dim_)), str_cat("KV=", shape_.dtype == KvDtype::f16 ? 16 : 32)}};
  }

  // A cache has one shape of heads, so one text.
  FunctionHandle kernel(const KernelText& text, const char* name) {
    FunctionHandle& found = kernels_[name];
    if (found == nullptr) found = context_->device->kernel(text, name);
    return found;
  }

  Prepared& prepare(const std::shared_ptr<const AttentionConfig>& config) {
    auto& prepared = prepared_[config.get()];
    if (prepared == nullptr) {
      prepared = std::make_unique<Prepared>();
      prepared->config = config;
      prepared->frequencies = uploaded(config->rope.inv_freq);
      prepared->longer_frequencies = uploaded(config->rope.frequencies(true));
    }
    return *prepared;
  }

  DeviceMemory uploaded(const std::vector<float>& values) {
    DeviceMemory memory(context_->device, values.size() * sizeof(float));
    if (!values.empty()) context_->device->upload(memory.pointer(), values.data(), values.size() * sizeof(float));
    context_->device->wait();
    return memory;
  }

  // Of the step's tokens, computed by the first layer that asks.
  DevicePointer rotations(Prepared& prepared, const StepPtr& step, int rows) {
    const Rope& rope = prepared.config->rope;
    if (rope.dim == 0) return 0;
    if (prepared.step != step) {
      prepared.rotations.emplace(make_array(context_->device, rows, rope.dim));
      prepared.step = step;
      if (rotations_ == nullptr) rotations_ = context_->device->kernel({"elementwise", {}}, "rotations");
      context_->device->launch(rotations_, {static_cast<unsigned>(rows)}, 128, context_->step_tables(step),
                               prepared.frequencies.pointer(), prepared.longer_frequencies.pointer(), rope.dim,
                               rope.scale, of(*prepared.rotations).data());
    }
    return of(*prepared.rotations).data();
  }

  DevicePointer sink_values(int layer, const std::vector<float>& sinks) {
    if (sinks.empty()) return 0;
    const auto [at, made] = sinks_.try_emplace(layer);
    if (made) at->second = uploaded(sinks);
    return at->second.pointer();
  }

  CudaContextPtr context_;
  KvShape shape_;
  int padded_dim_;
  size_t layer_bytes_;
  std::vector<int> places_;  // of each layer among those with a window, or without
  Pieces all_;
  Pieces windowed_;
  BlockAddresses nowhere_;
  std::vector<BlockAddresses> blocks_;
  std::map<std::string, FunctionHandle> kernels_;
  FunctionHandle rotations_ = nullptr;
  std::map<const AttentionConfig*, std::unique_ptr<Prepared>> prepared_;
  std::map<int, DeviceMemory> sinks_;  // of each layer that has some
};

}  // namespace

int cached_head_dim(int head_dim) { return (head_dim + kDimUnit - 1) / kDimUnit * kDimUnit; }

std::unique_ptr<KvStore> make_cuda_kv_store(CudaContextPtr context, const KvShape& shape) {
  if (shape.dtype == KvDtype::q8_0) {
    throw Error(ErrorCode::unsupported, "[cuda] expected a KV cache of f16 or f32, got q8_0");
  }
  if (shape.head_dim > 512) {
    throw Error(ErrorCode::unsupported, str_cat("[cuda] expected heads of at most 512 values, got ", shape.head_dim));
  }
  return std::make_unique<CudaKvStore>(std::move(context), shape);
}

}  // namespace emelex::cuda
