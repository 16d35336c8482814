#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"
#include "sampling/sampler.h"

namespace emelex {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T>
void check_refused(T SamplingOptions::*field, std::initializer_list<T> values, std::string_view name) {
  for (const T value : values) {
    CAPTURE(value);
    SamplingOptions options;
    options.*field = value;
    expect_error(ErrorCode::invalid_argument, {"[sampling] expected", name, ", got "},
                 [&] { Sampler sampler(options); });
  }
}

template <class T>
void check_taken(T SamplingOptions::*field, std::initializer_list<T> values) {
  for (const T value : values) {
    CAPTURE(value);
    SamplingOptions options;
    options.*field = value;
    CHECK_NOTHROW(Sampler{options});
  }
}

TEST_CASE("options that mean nothing are refused, each with its name and value") {
  check_refused(&SamplingOptions::temperature, {-0.1F, kInfinity, kNan}, "temperature");
  check_refused(&SamplingOptions::top_p, {0.0F, -1.0F, 1.01F, kInfinity, kNan}, "top-p");
  check_refused(&SamplingOptions::min_p, {-0.1F, 1.01F, kInfinity, kNan}, "min-p");
  check_refused(&SamplingOptions::top_k, {-1, std::numeric_limits<int>::min()}, "top-k");
  check_refused(&SamplingOptions::repeat_penalty, {0.0F, -1.0F, kInfinity, kNan}, "repeat penalty");
  check_refused(&SamplingOptions::repeat_window, {-1, std::numeric_limits<int>::min()}, "repeat window");
}

TEST_CASE("options at the ends of what is allowed are taken") {
  check_taken(&SamplingOptions::temperature, {0.0F, 1e-45F, std::numeric_limits<float>::max()});
  check_taken(&SamplingOptions::top_p, {1e-45F, 1.0F});
  check_taken(&SamplingOptions::min_p, {0.0F, 1.0F});
  check_taken(&SamplingOptions::top_k, {0, 1, std::numeric_limits<int>::max()});
  check_taken(&SamplingOptions::repeat_penalty, {1e-45F, std::numeric_limits<float>::max()});
  check_taken(&SamplingOptions::repeat_window, {0, std::numeric_limits<int>::max()});
}

}  // namespace
}  // namespace emelex
