#pragma once

#include <memory>

#include "kernels/step.h"

namespace emelex {

// A step in the form that a backend computes it in: made once by Backend::prepare, passed to all that computes the
// step, and dropped after it. Backends derive from it. It refers to the memory that it was prepared for.
class Batch {
 public:
  explicit Batch(StepPtr step) : step_(std::move(step)) {}
  virtual ~Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  const Step& step() const { return *step_; }
  int tokens() const { return step_->size(); }

 private:
  StepPtr step_;
};

using BatchPtr = std::unique_ptr<const Batch>;

}  // namespace emelex
