#include "kernels/cpu/cpu_experts.h"

#include <algorithm>
#include <optional>

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

// The matrices of a layer's experts.
struct ExpertProducts : Packable {
  ExpertProducts(CpuContextPtr context_, const ExpertMatrices& matrices)
      : context(std::move(context_)), gate(*context, matrices.gate), down(*context, matrices.down) {
    if (!matrices.up.empty()) up.emplace(*context, matrices.up);
  }

  void pack_before(int) override {
    gate.pack_used(*context);
    if (up) up->pack_used(*context);
    down.pack_used(*context);
  }

  void count_uses(const Routing& routing) {
    for (const auto& group : routing.groups) {
      if (group.count > kFewTokens) continue;
      gate.use_for_few(group.expert);
      if (up) up->use_for_few(group.expert);
      down.use_for_few(group.expert);
    }
  }

  CpuContextPtr context;
  ExpertProduct gate;
  std::optional<ExpertProduct> up;  // nothing where `gate` is both
  ExpertProduct down;
};

class CpuExperts : public Experts {
 public:
  CpuExperts(CpuContextPtr context, const ExpertsConfig& config, const ExpertMatrices& matrices)
      : context_(std::move(context)),
        config_(config),
        n_experts_(static_cast<int>(matrices.gate.size())),
        products_(std::make_shared<ExpertProducts>(context_, matrices)) {
    context_->packables.push_back(products_);
  }

  mx::array operator()(const mx::array& x, const mx::array& scores, const Batch&) const override {
    return make_op("experts", x.shape(), {x, scores}, [&](const float* const* in, float* const* out) {
      const Routing routing = route_tokens(config_, in[1], x.shape(0), n_experts_);
      products_->count_uses(routing);
      const Buffers buffers = cut(routing);
      compute(routing, in[0], buffers);
      add_up(routing, buffers.out, x.shape(0), out[0]);
    });
  }

 private:
  Buffers cut(const Routing& routing) const {
    const size_t rows = routing.tokens.size();
    const auto hidden = static_cast<size_t>(products_->down.columns());
    const size_t scratch = std::max(expert_scratch_bytes(routing, products_->gate.columns()),
                                    expert_scratch_bytes(routing, products_->down.columns()));
    const size_t floats = rows * (3 * hidden + static_cast<size_t>(products_->down.rows()));
    std::byte* memory = context_->task_scratch.get(scratch + floats * sizeof(float));
    auto* numbers = reinterpret_cast<float*>(memory + scratch);
    return {memory, numbers, numbers + rows * hidden, numbers + 2 * rows * hidden, numbers + 3 * rows * hidden};
  }

  void compute(const Routing& routing, const float* x, const Buffers& buffers) const {
    std::vector<ExpertOutput> first = {{&products_->gate, buffers.gate}};
    if (products_->up) first.push_back({&*products_->up, buffers.up});
    multiply_experts(*context_, routing, {x, routing.tokens}, first, buffers.scratch);
    context_->pool.for_each(static_cast<int>(routing.tokens.size()), [&](int row, int) { activate(row, buffers); });
    const ExpertOutput last[] = {{&products_->down, buffers.out}};
    multiply_experts(*context_, routing, {buffers.hidden, {}}, last, buffers.scratch);
  }

  void activate(int row, const Buffers& buffers) const {
    const auto n = static_cast<size_t>(products_->down.columns());
    const size_t at = static_cast<size_t>(row) * n;
    float* hidden = buffers.hidden + at;
    if (products_->up) {
      gated(context_->kernels, config_.activation, buffers.gate + at, buffers.up + at, products_->down.columns(),
            hidden);
      return;
    }
    float* pairs = buffers.gate + 2 * at;
    for (size_t i = 0; i < n; ++i) {
      hidden[i] = pairs[2 * i];
      pairs[i] = pairs[2 * i + 1];
    }
    gated(context_->kernels, config_.activation, hidden, pairs, products_->down.columns(), hidden);
  }

  // Each token's rows, weighted.
  void add_up(const Routing& routing, const float* rows, int tokens, float* out) const {
    const auto dim = static_cast<size_t>(products_->down.rows());
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
  std::shared_ptr<ExpertProducts> products_;  // counts its uses while it computes
};

}  // namespace

std::unique_ptr<Experts> make_experts(CpuContextPtr context, const ExpertsConfig& config,
                                      const ExpertMatrices& matrices) {
  return std::make_unique<CpuExperts>(std::move(context), config, matrices);
}

}  // namespace emelex::cpu
