#include "kernels/cpu/cpu_experts.h"

#include <algorithm>

#include "kernels/cpu/cpu_op.h"
#include "kernels/cpu/expert_product.h"
#include "kernels/cpu/gated.h"
#include "kernels/cpu/routing.h"

namespace emelex::cpu {
namespace {

// The memory of a step of one layer, cut from one piece.
struct Buffers {
  std::byte* scratch;  // of the products
  float* gate;         // [rows, hidden], or where gate and up are one [rows, 2 · hidden]
  float* up;           // [rows, hidden]
  float* hidden;       // [rows, hidden]
  float* out;          // [rows, dim]
};

class CpuExperts : public Experts {
 public:
  CpuExperts(CpuContextPtr context, const ExpertsConfig& config, const ExpertMatrices& matrices)
      : context_(std::move(context)),
        config_(config),
        n_experts_(static_cast<int>(matrices.gate.size())),
        gate_(std::make_unique<ExpertProduct>(*context_, matrices.gate)),
        down_(std::make_unique<ExpertProduct>(*context_, matrices.down)) {
    if (!matrices.up.empty()) up_ = std::make_unique<ExpertProduct>(*context_, matrices.up);
  }

  mx::array operator()(const mx::array& x, const mx::array& scores) const override {
    return make_op("experts", x.shape(), {x, scores}, [&](const float* const* in, float* const* out) {
      const Routing routing = route_tokens(config_, in[1], x.shape(0), n_experts_);
      pack(routing);
      const Buffers buffers = cut(routing);
      compute(routing, in[0], buffers);
      add_up(routing, buffers.out, x.shape(0), out[0]);
    });
  }

 private:
  void pack(const Routing& routing) const {
    for (const auto& group : routing.groups) {
      if (group.count > kFewTokens) continue;
      gate_->use_for_few(*context_, group.expert);
      if (up_) up_->use_for_few(*context_, group.expert);
      down_->use_for_few(*context_, group.expert);
    }
  }

  Buffers cut(const Routing& routing) const {
    const size_t rows = routing.tokens.size();
    const auto hidden = static_cast<size_t>(down_->columns());
    const size_t scratch =
        std::max(expert_scratch_bytes(routing, gate_->columns()), expert_scratch_bytes(routing, down_->columns()));
    const size_t floats = rows * (3 * hidden + static_cast<size_t>(down_->rows()));
    std::byte* memory = context_->task_scratch.get(scratch + floats * sizeof(float));
    auto* numbers = reinterpret_cast<float*>(memory + scratch);
    return {memory, numbers, numbers + rows * hidden, numbers + 2 * rows * hidden, numbers + 3 * rows * hidden};
  }

  void compute(const Routing& routing, const float* x, const Buffers& buffers) const {
    std::vector<ExpertOutput> first = {{gate_.get(), buffers.gate}};
    if (up_) first.push_back({up_.get(), buffers.up});
    multiply_experts(*context_, routing, {x, routing.tokens}, first, buffers.scratch);
    context_->pool.for_each(static_cast<int>(routing.tokens.size()), [&](int row, int) { activate(row, buffers); });
    const ExpertOutput last[] = {{down_.get(), buffers.out}};
    multiply_experts(*context_, routing, {buffers.hidden, {}}, last, buffers.scratch);
  }

  void activate(int row, const Buffers& buffers) const {
    const auto n = static_cast<size_t>(down_->columns());
    const size_t at = static_cast<size_t>(row) * n;
    float* hidden = buffers.hidden + at;
    if (up_) {
      gated(context_->kernels, config_.activation, buffers.gate + at, buffers.up + at, down_->columns(), hidden);
      return;
    }
    float* pairs = buffers.gate + 2 * at;
    for (size_t i = 0; i < n; ++i) {
      hidden[i] = pairs[2 * i];
      pairs[i] = pairs[2 * i + 1];
    }
    gated(context_->kernels, config_.activation, hidden, pairs, down_->columns(), hidden);
  }

  // Each token's rows, weighted.
  void add_up(const Routing& routing, const float* rows, int tokens, float* out) const {
    const auto dim = static_cast<size_t>(down_->rows());
    const auto n_used = static_cast<size_t>(config_.n_used);
    context_->pool.for_each(tokens, [&](int token, int) {
      const size_t first = static_cast<size_t>(token) * n_used;
      float* sum = out + static_cast<size_t>(token) * dim;
      std::fill_n(sum, dim, 0.0F);
      for (size_t i = first; i < first + n_used; ++i) {
        const float* row = rows + static_cast<size_t>(routing.rows[i]) * dim;
        for (size_t d = 0; d < dim; ++d) sum[d] += routing.weights[i] * row[d];
      }
    });
  }

  CpuContextPtr context_;
  ExpertsConfig config_;
  int n_experts_;
  // Whose matrices may yet be packed.
  std::unique_ptr<ExpertProduct> gate_;
  std::unique_ptr<ExpertProduct> up_;  // nullptr where gate_ is both
  std::unique_ptr<ExpertProduct> down_;
};

}  // namespace

std::unique_ptr<Experts> make_experts(CpuContextPtr context, const ExpertsConfig& config,
                                      const ExpertMatrices& matrices) {
  return std::make_unique<CpuExperts>(std::move(context), config, matrices);
}

}  // namespace emelex::cpu
