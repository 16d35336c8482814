#include <algorithm>
#include <cmath>

#include "quant/bytes.h"
#include "quant/simple_quants.h"

// The rounding of ggml's reference, bit for bit, so that a file is the same whoever wrote it.
namespace emelex {
namespace {

constexpr int kSize = 32;

float inverse(float x) { return x == 0.0F ? 0.0F : 1.0F / x; }

// Towards zero, within bounds; `least` for a NaN.
int to_int(float x, int least, int most) {
  if (!(x > static_cast<float>(least))) return least;
  return x < static_cast<float>(most) ? static_cast<int>(x) : most;
}

float farthest_from_zero(const float* from) {
  return *std::max_element(from, from + kSize, [](float a, float b) { return std::abs(a) < std::abs(b); });
}

// value(i) beside value(i + 16), four bits of each.
template <class Value>
void put_pairs(std::byte* to, const Value& value) {
  for (int i = 0; i < 16; ++i) put_byte(to + i, (value(i) & 15) | ((value(i + 16) & 15) << 4));
}

// The bit above those four.
template <class Value>
void put_fifth_bits(std::byte* to, const Value& value) {
  uint32_t bits = 0;
  for (int i = 0; i < kSize; ++i) bits |= static_cast<uint32_t>(value(i) >> 4) << i;
  put_uint32(to, bits);
}

// The level of each value when the one farthest from zero becomes -kZero, the end of the range that has one more step.
template <int kZero>
class SignedLevels {
 public:
  explicit SignedLevels(const float* from)
      : from_(from), scale_(farthest_from_zero(from) / static_cast<float>(-kZero)), factor_(inverse(scale_)) {}
  float scale() const { return scale_; }
  int operator()(int i) const {
    return to_int(from_[i] * factor_ + (static_cast<float>(kZero) + 0.5F), 0, 2 * kZero - 1);
  }

 private:
  const float* from_;
  float scale_;
  float factor_;
};

// The level of each value when the range from the least to the greatest is cut into kMost steps.
template <int kMost>
class RangeLevels {
 public:
  explicit RangeLevels(const float* from) : from_(from) {
    const auto [least, most] = std::minmax_element(from, from + kSize);
    minimum_ = *least;
    scale_ = (*most - minimum_) / static_cast<float>(kMost);
    factor_ = inverse(scale_);
  }
  float scale() const { return scale_; }
  float minimum() const { return minimum_; }
  int operator()(int i) const { return to_int((from_[i] - minimum_) * factor_ + 0.5F, 0, kMost); }

 private:
  const float* from_;
  float minimum_;
  float scale_;
  float factor_;
};

}  // namespace

void quantize_q4_0(const float* from, std::byte* to) {
  const SignedLevels<8> levels(from);
  put_half(to, levels.scale());
  put_pairs(to + 2, levels);
}

void quantize_q4_1(const float* from, std::byte* to) {
  const RangeLevels<15> levels(from);
  put_half(to, levels.scale());
  put_half(to + 2, levels.minimum());
  put_pairs(to + 4, levels);
}

void quantize_q5_0(const float* from, std::byte* to) {
  const SignedLevels<16> levels(from);
  put_half(to, levels.scale());
  put_fifth_bits(to + 2, levels);
  put_pairs(to + 6, levels);
}

void quantize_q5_1(const float* from, std::byte* to) {
  const RangeLevels<31> levels(from);
  put_half(to, levels.scale());
  put_half(to + 2, levels.minimum());
  put_fifth_bits(to + 4, levels);
  put_pairs(to + 8, levels);
}

void quantize_q8_0(const float* from, std::byte* to) {
  const float scale = std::abs(farthest_from_zero(from)) / 127.0F;
  const float factor = inverse(scale);
  put_half(to, scale);
  for (int i = 0; i < kSize; ++i) put_byte(to + 2 + i, to_int(std::round(from[i] * factor), -128, 127));
}

}  // namespace emelex
