#pragma once

#include "quant/group_search.h"

// The best scales for types without minima: x ≈ d · scale · q, where a block has one d and every group of it an integer
// scale. All errors are weighted squared ones, and for given q the best scale is the least-squares one:
// s = Σ w·x·q / Σ w·q², which leaves the error Σ w·x² - (Σ w·x·q)² / Σ w·q².
namespace emelex {

// Sums over a group whose values were divided by a scale and rounded to levels q.
struct LevelSums {
  float xq;  // Σ w·x·q
  float qq;  // Σ w·q²

  float error_less_xx(float scale) const { return scale * (scale * qq - 2 * xq); }
};

// The integers from kLeast to kMost.
template <int kLeast, int kMost>
struct IntegerLevels {
  static constexpr float kFarthest = static_cast<float>(-kLeast);

  template <int kSize>
  static LevelSums sums(const float* x, const float* w, float inverse) {
    Float4 xq = all4(0);
    Float4 qq = all4(0);
    for (int i = 0; i < kSize; i += 4) {
      const Float4 value = load4(x + i);
      const Float4 q = round4(clamp4(value * all4(inverse), all4(kLeast), all4(kMost)));
      const Float4 wq = load4(w + i) * q;
      xq += wq * value;
      qq += wq * q;
    }
    return {sum4(xq), sum4(qq)};
  }

  // The level's number from 0 up.
  static int code(float y) { return static_cast<int>(std::lrint(std::clamp<float>(y, kLeast, kMost))) - kLeast; }
};

// How thorough a search is: real scales are tried from `first` to `last` times the one that takes the farthest value to
// the farthest level, and integer scales up to `around` from the real one.
struct ScaleEffort {
  float first;
  float last;
  int steps;
  int around;
};

// A group's best real scale; 0 for zeros.
template <class Levels, int kSize>
float best_scale(const float* x, const float* w, const ScaleEffort& effort) {
  float farthest = 0;
  for (int i = 0; i < kSize; ++i) farthest = std::max(farthest, std::abs(x[i]));
  if (farthest == 0) return 0;
  float best_gain = 0;
  float best = 0;
  const auto consider = [&](float inverse) {
    const LevelSums sums = Levels::template sums<kSize>(x, w, inverse);
    if (!(sums.qq > 0) || sums.xq * sums.xq <= best_gain * sums.qq) return false;
    best_gain = sums.xq * sums.xq / sums.qq;
    best = sums.xq / sums.qq;
    return true;
  };
  const float step = (effort.last - effort.first) / static_cast<float>(effort.steps - 1);
  for (int k = 0; k < effort.steps; ++k) {
    const float inverse = Levels::kFarthest / (farthest * (effort.first + step * static_cast<float>(k)));
    consider(inverse);
    consider(-inverse);
  }
  for (int k = 0; k < 3 && consider(1.0F / best); ++k) {
  }
  return best;
}

// The scales of a block: x ≈ d · scales[group] · q.
template <int kGroups>
struct BlockScales {
  float d = 0;  // a float16
  int scales[kGroups] = {};
};

template <class Levels, int kGroups, int kSize, int kLeastScale, int kMostScale>
class ScaleSearch {
 public:
  ScaleSearch(const WeightedBlock<kGroups * kSize>& block, const ScaleEffort& effort)
      : block_(block), effort_(effort) {}

  BlockScales<kGroups> run() {
    float farthest = 0;
    for (int j = 0; j < kGroups; ++j) {
      real_[j] = best_scale<Levels, kSize>(block_.x + j * kSize, block_.w + j * kSize, effort_);
      if (std::abs(real_[j]) > std::abs(farthest)) farthest = real_[j];
    }
    if (farthest == 0) return {};
    // The farthest scale may become one less than the largest integer: then the others fall elsewhere.
    constexpr int kStarts = kLeastScale < 0 ? 3 : 1;
    for (int k = 0; k < kStarts; ++k) try_from(farthest / static_cast<float>(kLeastScale + k));
    return best_;
  }

 private:
  // Integer scales for that d, then a better d for them, as long as that helps.
  void try_from(float d) {
    for (int round = 0; round < 3; ++round) {
      BlockScales<kGroups> now;
      now.d = usable_half(d);
      double xq = 0;
      double qq = 0;
      double error = 0;
      for (int j = 0; j < kGroups; ++j) error += choose_scale(j, now, xq, qq);
      if (error < best_error_) {
        best_error_ = error;
        best_ = now;
      } else if (round > 0) {
        return;
      }
      if (!(qq > 0)) return;
      d = static_cast<float>(xq / qq);
      if (usable_half(d) == now.d) return;
    }
  }

  // The group's best integer scale for now.d; returns its error and adds to the sums that the best d follows from.
  double choose_scale(int j, BlockScales<kGroups>& now, double& xq, double& qq) {
    const float nearest = std::clamp<float>(real_[j] / now.d, kLeastScale, kMostScale);
    const int middle = static_cast<int>(std::lrint(nearest));
    double best_error = 0;  // of scale 0, less Σ w·x² as all here
    LevelSums best_sums{0, 0};
    int best = 0;
    for (int scale = middle - effort_.around; scale <= middle + effort_.around; ++scale) {
      if (scale == 0 || scale < kLeastScale || scale > kMostScale) continue;
      const float s = now.d * static_cast<float>(scale);
      const LevelSums sums = Levels::template sums<kSize>(block_.x + j * kSize, block_.w + j * kSize, 1.0F / s);
      const double error = static_cast<double>(sums.error_less_xx(s));
      if (error >= best_error) continue;
      best_error = error;
      best_sums = sums;
      best = scale;
    }
    now.scales[j] = best;
    xq += static_cast<double>(best) * static_cast<double>(best_sums.xq);
    qq += static_cast<double>(best) * best * static_cast<double>(best_sums.qq);
    return best_error;
  }

  const WeightedBlock<kGroups * kSize>& block_;
  const ScaleEffort& effort_;
  float real_[kGroups] = {};
  double best_error_ = 0;
  BlockScales<kGroups> best_;
};

}  // namespace emelex
