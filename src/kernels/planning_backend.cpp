#include "kernels/planning_backend.h"

#include "emelex/error.h"

namespace emelex {
namespace {

[[noreturn]] void refuse() { throw Error(ErrorCode::internal, "[kernels] expected a backend that computes"); }

struct NoLinear : Linear {
  std::vector<mx::array> operator()(const mx::array&, const Batch&) const override { refuse(); }
  mx::array add_to(const mx::array&, const mx::array&, const Batch&) const override { refuse(); }
};

struct NoNorm : Norm {
  mx::array operator()(const mx::array&, const Batch&) const override { refuse(); }
};

struct NoEmbedding : Embedding {
  mx::array operator()(const Batch&) const override { refuse(); }
};

struct NoExperts : Experts {
  mx::array operator()(const mx::array&, const mx::array&, const Batch&) const override { refuse(); }
};

struct NoAttention : AttentionOp {
  mx::array operator()(const mx::array&, const mx::array&, const mx::array&, const Batch&) const override { refuse(); }
};

class PlanningBackend : public Backend {
 public:
  Capabilities capabilities() const override { refuse(); }
  std::string name() const override { return "planning"; }
  std::string instruction_set() const override { return {}; }

  std::unique_ptr<Linear> product(const Product&) override { return std::make_unique<NoLinear>(); }
  std::unique_ptr<Linear> linear(const std::vector<Matrix>&) override { return std::make_unique<NoLinear>(); }
  std::unique_ptr<Norm> norm(const NormSpec&) override { return std::make_unique<NoNorm>(); }
  std::unique_ptr<Embedding> embedding(const Tensor&) override { return std::make_unique<NoEmbedding>(); }
  std::unique_ptr<Experts> experts(const ExpertsConfig&, const ExpertMatrices&) override {
    return std::make_unique<NoExperts>();
  }
  std::unique_ptr<AttentionOp> attention(const AttentionConfig&, const std::vector<float>&, int) override {
    return std::make_unique<NoAttention>();
  }
  std::unique_ptr<KvPool> kv_pool(const KvSpec&, KvDtype, int) override { refuse(); }
  BatchPtr prepare(StepPtr, const KvMemory&) override { refuse(); }

  mx::array gated(Activation, const mx::array&, const mx::array&) override { refuse(); }
  mx::array gelu(const mx::array&) override { refuse(); }
  mx::array add(const mx::array&, const mx::array&) override { refuse(); }
  mx::array scale(const mx::array&, float) override { refuse(); }
  mx::array soft_cap(const mx::array&, float) override { refuse(); }
  mx::array output_rows(const mx::array&, const Batch&) override { refuse(); }
};

}  // namespace

std::unique_ptr<Backend> make_planning_backend() { return std::make_unique<PlanningBackend>(); }

}  // namespace emelex
