#include "kernels/cpu/cpu_route.h"

#include <cstring>

#include "kernels/cpu/cpu_context.h"
#include "kernels/cpu/cpu_linear.h"
#include "kernels/cpu/cpu_op.h"
#include "kernels/cpu/host_kv_store.h"

namespace emelex::cpu {
namespace {

// Rows of this many tokens are one unit of work for the elementwise kernels.
constexpr int kTokensPerUnit = 8;

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> floats(static_cast<size_t>(tensor.rows() * tensor.columns()));
  tensor.read_rows(0, floats);
  return floats;
}

// Calls row(t) for each token, shared between the workers.
template <class Row>
void for_each_token(CpuContext& context, int tokens, const Row& row) {
  const int units = (tokens + kTokensPerUnit - 1) / kTokensPerUnit;
  context.pool.for_each(units, [&](int unit, int) {
    for (int t = unit * kTokensPerUnit; t < tokens && t < (unit + 1) * kTokensPerUnit; ++t) row(static_cast<size_t>(t));
  });
}

class CpuEmbedding : public Embedding {
 public:
  explicit CpuEmbedding(const Tensor& table) : table_(table) {}

  mx::array operator()(const StepPtr& step) const override {
    const auto dim = static_cast<size_t>(table_.columns());
    return make_op("embedding", mx::Shape{step->size(), static_cast<int>(dim)}, {},
                   [&](const float* const*, float* const* out) {
                     for (size_t t = 0; t < step->tokens.size(); ++t) {
                       table_.read_rows(step->tokens[t], {out[0] + t * dim, dim});
                     }
                   });
  }

 private:
  Tensor table_;
};

class CpuRmsNorm : public RmsNorm {
 public:
  CpuRmsNorm(CpuContextPtr context, const Tensor& weight, float eps)
      : context_(std::move(context)), weight_(floats_of(weight)), eps_(eps) {}

  mx::array operator()(const mx::array& x) const override {
    return make_op("rms_norm", x.shape(), {x}, [&](const float* const* in, float* const* out) {
      const size_t dim = weight_.size();
      for_each_token(*context_, x.shape(0), [&](size_t t) {
        context_->kernels.rms_norm(in[0] + t * dim, weight_.data(), eps_, static_cast<int>(dim), out[0] + t * dim);
      });
    });
  }

 private:
  CpuContextPtr context_;
  std::vector<float> weight_;
  float eps_;
};

class CpuRoute : public Route {
 public:
  CpuRoute(int n_threads, bool int8_activations)
      : context_(std::make_shared<CpuContext>(n_threads, int8_activations)) {}

  std::unique_ptr<Linear> linear(const std::vector<const Tensor*>& matrices) override {
    return make_linear(context_, matrices);
  }
  std::unique_ptr<Embedding> embedding(const Tensor& table) override { return std::make_unique<CpuEmbedding>(table); }
  std::unique_ptr<RmsNorm> rms_norm(const Tensor& weight, float eps) override {
    return std::make_unique<CpuRmsNorm>(context_, weight, eps);
  }
  std::unique_ptr<KvStore> kv_store(const KvShape& shape) override { return make_host_kv_store(context_, shape); }

  mx::array swiglu(const mx::array& gate, const mx::array& up) override {
    const int dim = gate.shape(1);
    return make_op("swiglu", gate.shape(), {gate, up}, [&](const float* const* in, float* const* out) {
      for_each_token(*context_, gate.shape(0), [&](size_t t) {
        const size_t at = t * static_cast<size_t>(dim);
        context_->kernels.swiglu(in[0] + at, in[1] + at, dim, out[0] + at);
      });
    });
  }

  mx::array output_rows(const mx::array& x, const StepPtr& step) override {
    if (step->outputs.size() == step->tokens.size()) return x;
    const auto dim = static_cast<size_t>(x.shape(1));
    return make_op("output_rows", mx::Shape{static_cast<int>(step->outputs.size()), x.shape(1)}, {x},
                   [&](const float* const* in, float* const* out) {
                     for (size_t i = 0; i < step->outputs.size(); ++i) {
                       std::memcpy(out[0] + i * dim, in[0] + static_cast<size_t>(step->outputs[i]) * dim,
                                   dim * sizeof(float));
                     }
                   });
  }

  std::string name() const override { return context_->int8_activations ? "fast" : "float"; }
  std::string instruction_set() const override { return context_->kernels.name; }

 private:
  CpuContextPtr context_;
};

}  // namespace

std::unique_ptr<Route> make_cpu_route(int n_threads, bool int8_activations) {
  return std::make_unique<CpuRoute>(n_threads, int8_activations);
}

}  // namespace emelex::cpu
