#pragma once

#include "quant/group_search.h"

// The best scales and minima for x ≈ d · scale · q - dmin · minimum, with q from 0 to kMost, and for every group of a
// block an integer scale and minimum. All errors are weighted squared ones; for given q the best scale and minimum are
// those of a weighted line through the points (q, x).
namespace emelex {

// Sums over a group, of the weights and values, and with levels q.
struct GroupSums {
  float w;  // Σ w
  float x;  // Σ w·x
};
struct LineSums {
  float q;   // Σ w·q
  float qq;  // Σ w·q²
  float xq;  // Σ w·x·q

  // Σ w·(x - scale·q + minimum)², less Σ w·x².
  float error_less_xx(float scale, float minimum, const GroupSums& group) const {
    return scale * (scale * qq - 2 * xq - 2 * minimum * q) + minimum * (2 * group.x + minimum * group.w);
  }
};

// Levels of x for a scale of 1 / inverse.
template <int kMost, int kSize>
LineSums line_sums(const float* x, const float* w, float inverse, float minimum) {
  Float4 sum_q = all4(0);
  Float4 sum_qq = all4(0);
  Float4 sum_xq = all4(0);
  for (int i = 0; i < kSize; i += 4) {
    const Float4 value = load4(x + i);
    const Float4 q = round4(clamp4((value + all4(minimum)) * all4(inverse), all4(0), all4(kMost)));
    const Float4 wq = load4(w + i) * q;
    sum_q += wq;
    sum_qq += wq * q;
    sum_xq += wq * value;
  }
  return {sum4(sum_q), sum4(sum_qq), sum4(sum_xq)};
}

struct Line {
  float scale = 0;
  float minimum = 0;  // at least 0; what is subtracted
};

// The best line for these levels.
inline Line fit_line(const LineSums& sums, const GroupSums& group) {
  const float determinant = group.w * sums.qq - sums.q * sums.q;
  if (determinant > 0) {
    const float scale = (group.w * sums.xq - group.x * sums.q) / determinant;
    const float minimum = (scale * sums.q - group.x) / group.w;
    if (scale > 0 && minimum > 0) return {scale, minimum};
  }
  return {sums.qq > 0 ? std::max(sums.xq / sums.qq, 0.0F) : 0.0F, 0};
}

// How thorough a search is: for a group's real line, `cuts` amounts are cut off either end of its range, from 0 to
// `most_cut` steps between levels, or, below 0, added; integer scales and minima are tried up to `around` from it.
struct LineEffort {
  float least_cut;
  float most_cut;
  int cuts;
  int around;
};

template <int kMost, int kSize>
Line best_line(const float* x, const float* w, const GroupSums& group, const LineEffort& effort) {
  float least = 0;  // minima are never below 0
  float most = x[0];
  for (int i = 0; i < kSize; ++i) {
    least = std::min(least, x[i]);
    most = std::max(most, x[i]);
  }
  if (most <= least) return {0, -least};
  float best_error = 0;
  Line best;
  const auto consider = [&](Line line) {
    for (int k = 0; k < 2; ++k) {
      const LineSums sums = line_sums<kMost, kSize>(x, w, 1.0F / line.scale, line.minimum);
      line = fit_line(sums, group);
      const float error = sums.error_less_xx(line.scale, line.minimum, group);
      if (!(error < best_error)) return;
      best_error = error;
      best = line;
      if (!(line.scale > 0)) return;
    }
  };
  const float step = (effort.most_cut - effort.least_cut) / static_cast<float>(effort.cuts - 1);
  for (int low = 0; low < effort.cuts; ++low) {
    for (int high = 0; high < effort.cuts; ++high) {
      const float cut_low = effort.least_cut + step * static_cast<float>(low);
      const float cut_high = effort.least_cut + step * static_cast<float>(high);
      const float scale = (most - least) / (static_cast<float>(kMost) + cut_low + cut_high);
      consider({scale, std::max(0.0F, -least - cut_low * scale)});
    }
  }
  return best;
}

template <int kGroups>
struct BlockLines {
  float d = 0;  // float16, as dmin
  float dmin = 0;
  int scales[kGroups] = {};
  int minima[kGroups] = {};
};

template <int kMost, int kGroups, int kSize, int kMostScale>
class LineSearch {
 public:
  LineSearch(const WeightedBlock<kGroups * kSize>& block, const LineEffort& effort) : block_(block), effort_(effort) {}

  BlockLines<kGroups> run() {
    float scale = 0;
    float minimum = 0;
    for (int j = 0; j < kGroups; ++j) {
      sum_group(j);
      real_[j] = best_line<kMost, kSize>(x(j), w(j), groups_[j], effort_);
      scale = std::max(scale, real_[j].scale);
      minimum = std::max(minimum, real_[j].minimum);
    }
    try_from(scale / kMostScale, minimum / kMostScale);
    return best_;
  }

 private:
  // The sums of the equations that the best d and dmin solve.
  struct Equations {
    double ss = 0;  // Σ w·(scale·q)²
    double sm = 0;  // Σ w·scale·q·minimum
    double mm = 0;  // Σ w·minimum²
    double xs = 0;  // Σ w·x·scale·q
    double xm = 0;  // Σ w·x·minimum
  };

  const float* x(int j) const { return block_.x + j * kSize; }
  const float* w(int j) const { return block_.w + j * kSize; }

  void sum_group(int j) {
    groups_[j] = {0, 0};
    for (int i = 0; i < kSize; ++i) {
      groups_[j].w += w(j)[i];
      groups_[j].x += w(j)[i] * x(j)[i];
    }
  }

  // Integers for that d and dmin, then better d and dmin for them, as long as that helps.
  void try_from(float d, float dmin) {
    for (int round = 0; round < 4; ++round) {
      BlockLines<kGroups> now;
      now.d = usable_half(d);
      now.dmin = usable_half(dmin);
      Equations sums;
      double error = 0;
      for (int j = 0; j < kGroups; ++j) error += choose(j, now, sums);
      if (error < best_error_) {
        best_error_ = error;
        best_ = now;
      } else if (round > 0) {
        return;
      }
      const double determinant = sums.ss * sums.mm - sums.sm * sums.sm;
      if (sums.ss > 0 && determinant > 1e-9 * sums.ss * sums.mm) {
        d = static_cast<float>((sums.xs * sums.mm - sums.xm * sums.sm) / determinant);
        dmin = static_cast<float>((sums.xs * sums.sm - sums.xm * sums.ss) / determinant);
      } else if (sums.ss > 0) {
        d = static_cast<float>(sums.xs / sums.ss);
      }
      if (!(d > 0) || !(dmin >= 0) || (usable_half(d) == now.d && usable_half(dmin) == now.dmin)) return;
    }
  }

  static int nearest(float real, float unit) {
    return unit > 0 ? static_cast<int>(std::lrint(std::min<float>(real / unit, kMostScale))) : 0;
  }

  // The group's best integers for now.d and now.dmin; returns its error, less Σ w·x².
  double choose(int j, BlockLines<kGroups>& now, Equations& equations) {
    const int scale0 = nearest(real_[j].scale, now.d);
    const int minimum0 = nearest(real_[j].minimum, now.dmin);
    float best_error = 1e30F;
    LineSums best{0, 0, 0};
    for (int a = -effort_.around; a <= effort_.around; ++a) {
      const int scale = scale0 + a;
      if (scale < 0 || scale > kMostScale) continue;
      const float s = now.d * static_cast<float>(scale);
      const float inverse = s > 0 ? 1.0F / s : 0.0F;
      for (int b = -effort_.around; b <= effort_.around; ++b) {
        const int minimum = minimum0 + b;
        if (minimum < 0 || minimum > kMostScale) continue;
        const float m = now.dmin * static_cast<float>(minimum);
        const LineSums sums = line_sums<kMost, kSize>(x(j), w(j), inverse, m);
        const float error = sums.error_less_xx(s, m, groups_[j]);
        if (error >= best_error) continue;
        best_error = error;
        best = sums;
        now.scales[j] = scale;
        now.minima[j] = minimum;
      }
    }
    const double scale = now.scales[j];
    const double minimum = now.minima[j];
    equations.ss += scale * scale * static_cast<double>(best.qq);
    equations.sm += scale * minimum * static_cast<double>(best.q);
    equations.mm += minimum * minimum * static_cast<double>(groups_[j].w);
    equations.xs += scale * static_cast<double>(best.xq);
    equations.xm += minimum * static_cast<double>(groups_[j].x);
    return static_cast<double>(best_error);
  }

  const WeightedBlock<kGroups * kSize>& block_;
  const LineEffort& effort_;
  GroupSums groups_[kGroups] = {};
  Line real_[kGroups] = {};
  double best_error_ = 0;
  BlockLines<kGroups> best_;
};

}  // namespace emelex
