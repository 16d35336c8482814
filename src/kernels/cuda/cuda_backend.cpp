#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cuda/cuda_activation.h"
#include "kernels/cuda/cuda_array.h"
#include "kernels/cuda/cuda_attention.h"
#include "kernels/cuda/cuda_batch.h"
#include "kernels/cuda/cuda_context.h"
#include "kernels/cuda/cuda_kv_pool.h"
#include "kernels/cuda/cuda_norm.h"
#include "kernels/cuda/cuda_product.h"
#include "kernels/cuda/step_graphs.h"
#include "kernels/matrix_size.h"

namespace emelex::cuda {
namespace {

// Of source/elementwise.cu.
enum Map { kAdd = 0, kScale = 1, kSoftCap = 2 };

// The kernels that work on rows, found once.
struct RowKernels {
  explicit RowKernels(Device& device)
      : map(device.kernel({"elementwise", {}}, "map")),
        take_rows(device.kernel({"elementwise", {}}, "take_rows")),
        likeliest(device.kernel({"elementwise", {}}, "likeliest")),
        take_likeliest(device.kernel({"elementwise", {}}, "take_likeliest")) {}

  FunctionHandle map;
  FunctionHandle take_rows;
  FunctionHandle likeliest;
  FunctionHandle take_likeliest;
};

class CudaEmbedding : public Embedding {
 public:
  CudaEmbedding(CudaContextPtr context, MatrixPtr table) : context_(std::move(context)), table_(std::move(table)) {}

  mx::array operator()(const Batch& batch) const override {
    const auto out = make_array(context_->device, batch.tokens(), table_->columns());
    table_->embed(cuda_batch(batch).tables, of(out));
    return out;
  }

 private:
  CudaContextPtr context_;
  MatrixPtr table_;
};

class CudaBackend : public Backend {
 public:
  CudaBackend()
      : context_(std::make_shared<CudaContext>(std::make_shared<Device>())),
        kernels_(*context_->device),
        graphs_(context_) {}

  Capabilities capabilities() const override {
    constexpr int kPrefillChunk = 2048;  // weights are unpacked once a chunk
    return {kPrefillChunk, {KvDtype::f16, KvDtype::f32}};
  }

  std::unique_ptr<Linear> product(const Product& product) override {
    check_activation(product);
    auto norm = product.norm ? std::make_unique<CudaNorm>(context_, *product.norm) : nullptr;
    return std::make_unique<CudaProduct>(context_, *this, matrices(product.matrices), std::move(norm),
                                         product.activation);
  }
  std::unique_ptr<Linear> linear(const std::vector<Matrix>& given) override { return product({given, {}, {}}); }

  std::unique_ptr<Embedding> embedding(const Tensor& table) override {
    return std::make_unique<CudaEmbedding>(context_, matrix({&table}));
  }
  std::unique_ptr<Norm> norm(const NormSpec& spec) override { return std::make_unique<CudaNorm>(context_, spec); }
  std::unique_ptr<Experts> experts(const ExpertsConfig&, const ExpertMatrices&) override {
    throw Error(ErrorCode::unsupported, "[cuda] expected a model without a mixture of experts, got one with");
  }
  std::unique_ptr<AttentionOp> attention(const AttentionConfig& config, const std::vector<float>& sinks,
                                         int layer) override {
    return make_cuda_attention(context_, config, sinks, layer);
  }
  std::unique_ptr<KvPool> kv_pool(const KvSpec& spec, KvDtype dtype, int n_layers) override {
    return std::make_unique<CudaKvPool>(context_->device, spec, dtype, n_layers);
  }

  BatchPtr prepare(StepPtr step, const KvMemory& memory) override {
    return prepare_batch(*context_, std::move(step), memory);
  }

  mx::array gated(Activation activation, const mx::array& gate, const mx::array& up) override {
    return activated(gate_of(activation), of(gate), of(up).data());
  }
  mx::array gelu(const mx::array& x) override { return activated(kGeluAlone, of(x), 0); }
  mx::array add(const mx::array& a, const mx::array& b) override { return mapped(kAdd, of(a), of(b).data(), 0); }
  mx::array scale(const mx::array& x, float factor) override { return mapped(kScale, of(x), 0, factor); }
  mx::array soft_cap(const mx::array& x, float cap) override { return mapped(kSoftCap, of(x), 0, cap); }

  mx::array output_rows(const mx::array& x, const Batch& batch) override {
    const Step& step = batch.step();
    if (step.outputs.size() == step.tokens.size()) return x;
    const int columns = of(x).columns();
    const auto n = static_cast<int>(step.outputs.size());
    const auto out = make_array(context_->device, n, columns);
    context_->device->launch(kernels_.take_rows, {groups_of(columns, 256), static_cast<unsigned>(n)}, 256,
                             cuda_batch(batch).tables, of(x).data(), columns, of(out).data());
    return out;
  }

  void compute(const StepPtr& step, const KvMemory& memory, const Forward& forward) override {
    outputs_ = 0;
    if (StepGraphs::takes(*step)) {
      result_ = graphs_.run(step, memory, forward);
    } else {
      const auto batch = prepare_batch(*context_, step, memory);
      // Nothing takes its memory before the logits were read.
      const auto result = forward(*batch);
      result_ = {of(result).data(), of(result).columns()};
    }
    outputs_ = step->outputs.size();
    if (outputs_ == 0) context_->device->wait();
  }

  std::span<float> logits() override {
    const size_t count = outputs_ * static_cast<size_t>(result_.columns);
    if (count == 0) return {};
    auto* host = static_cast<float*>(logits_.get(count * sizeof(float)));
    context_->device->download(host, result_.data, count * sizeof(float));
    context_->device->wait();
    return {host, count};
  }

  std::span<const int32_t> likeliest() override {
    if (outputs_ == 0) return {};
    Device& device = *context_->device;
    const size_t bytes = outputs_ * sizeof(int32_t);
    if (found_.bytes() < bytes) {
      found_ = DeviceMemory(context_->device, std::max<size_t>(bytes, 1024));
      keys_ = DeviceMemory(context_->device, found_.bytes() / sizeof(int32_t) * sizeof(uint64_t));
      device.clear(keys_.pointer(), keys_.bytes());
    }
    const DevicePointer found = found_.pointer();
    const DevicePointer keys = keys_.pointer();
    const auto rows = static_cast<int>(outputs_);
    const auto parts = std::max(1U, std::min(32U, groups_of(result_.columns, 4096)));
    device.launch(kernels_.likeliest, {parts, static_cast<unsigned>(rows)}, 512, result_.data, result_.columns, keys);
    device.launch(kernels_.take_likeliest, {groups_of(rows, 128)}, 128, keys, rows, found);
    auto* host = static_cast<int32_t*>(tokens_.get(bytes));
    device.download(host, found, bytes);
    device.wait();
    return {host, outputs_};
  }

  std::optional<int64_t> free_bytes() const override { return context_->device->free_bytes(); }
  void set_spare_bytes(int64_t bytes) override { context_->spare_bytes = bytes; }

  std::string name() const override { return "cuda"; }
  std::string instruction_set() const override { return context_->device->architecture(); }

 private:
  mx::array activated(ActivationKind kind, const CudaArray& gate, DevicePointer up) {
    const auto result = make_array(context_->device, gate.rows(), gate.columns());
    activate_rows(*context_->device, kind, {gate.data(), up, gate.columns()}, of(result));
    return result;
  }

  mx::array mapped(Map kind, const CudaArray& a, DevicePointer b, float number) {
    const auto out = make_array(context_->device, a.rows(), a.columns());
    const auto n = static_cast<long long>(a.rows()) * a.columns();
    context_->device->launch(kernels_.map, {groups_of(n, 256)}, 256, static_cast<int>(kind), a.data(), b, number, n,
                             of(out).data());
    return out;
  }

  // Matrices of one format that follow one another become one group.
  ProductMatrices matrices(const std::vector<Matrix>& given) {
    ProductMatrices result;
    std::vector<const Tensor*> alike;  // of the last group
    for (size_t i = 0; i < given.size(); ++i) {
      const Tensor& weight = *given[i].weight;
      const Tensor* bias = given[i].bias;
      result.rows.push_back(matrix_size(weight).rows);
      result.biases.push_back(bias == nullptr ? std::nullopt : std::optional(uploaded(*context_, *bias)));
      const bool joins = !alike.empty() && alike.size() < MOST_PARTS && alike.front()->type == weight.type;
      if (!joins) {
        if (!alike.empty()) result.groups.back().matrix = matrix(alike);
        alike.clear();
        result.groups.emplace_back();
      }
      alike.push_back(&weight);
      result.groups.back().outputs.push_back(i);
    }
    result.groups.back().matrix = matrix(alike);
    return result;
  }

  // One copy of a matrix that is used twice, as tied embeddings are.
  MatrixPtr matrix(const std::vector<const Tensor*>& tensors) {
    if (tensors.size() > 1) return std::make_shared<CudaMatrix>(context_, tensors);
    MatrixPtr& known = known_[{tensors.front()->name, tensors.front()->data.data()}];
    if (known == nullptr) known = std::make_shared<CudaMatrix>(context_, tensors);
    return known;
  }

  CudaContextPtr context_;
  RowKernels kernels_;
  StepGraphs graphs_;
  std::map<std::pair<std::string, const std::byte*>, MatrixPtr> known_;
  StepGraphs::Logits result_{0, 0};  // the last step's, on the GPU
  size_t outputs_ = 0;               // its rows
  PinnedMemory logits_;
  DeviceMemory found_;  // their likeliest tokens
  DeviceMemory keys_;   // of these, zeros between launches
  PinnedMemory tokens_;
};

}  // namespace

namespace {

bool is_vocabulary(const std::string& name) { return name == "token_embd.weight" || name == "output.weight"; }

}  // namespace

std::unique_ptr<Backend> make_cuda_backend() { return std::make_unique<CudaBackend>(); }

int64_t gpu_bytes(const Weights& weights) {
  // The driver's context with loaded kernels and cuBLAS: of an H200 what nvidia-smi showed beyond the rest.
  constexpr int64_t kContextBytes = 720'000'000;
  // The driver gives out 2 MiB at a time. Of a tensor that is large enough to have some of its own, and of which two or
  // three have one allocation, so much is lost.
  constexpr int64_t kDriverPage = int64_t{2} << 20;
  constexpr int64_t kLostOfLarge = kDriverPage / 4;
  int64_t bytes = kContextBytes;
  int64_t largest_unpacked = 0;
  for (const auto& [name, tensor] : weights.tensors()) {
    if (tensor.shape.size() < 2) {
      bytes += tensor.columns() * static_cast<int64_t>(sizeof(float));
      continue;
    }
    bytes += packed_bytes(tensor);
    if (packed_bytes(tensor) >= kDriverPage / 2) bytes += kLostOfLarge;
    // Of the vocabulary's matrix a step has few rows. Gate and up are unpacked together.
    if (!is_vocabulary(name)) largest_unpacked = std::max(largest_unpacked, 2 * 2 * tensor.rows() * tensor.columns());
  }
  // A step's memory is in pieces of few sizes, of which not all fit what comes next.
  return bytes + largest_unpacked * 3 / 2;
}

int64_t gpu_float16_bytes(const Weights& weights) {
  const bool has_output = weights.tensors().count("output.weight") > 0;
  int64_t bytes = 0;
  for (const auto& [name, tensor] : weights.tensors()) {
    const bool is_table = has_output && name == "token_embd.weight";  // of which rows are read
    if (tensor.shape.size() >= 2 && !is_table) bytes += unpacked_bytes(tensor);
  }
  return bytes;
}

std::string cuda_obstacle() {
  try {
    find_device(0);
    compiler_version();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace emelex::cuda
