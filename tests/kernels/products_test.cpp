// Products as a backend makes them of descriptions.
#include <mlx/transforms.h>

#include <numeric>

#include "base/expect_error.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/matmul_setup.h"
#include "kernels/mlx/mlx_backend.h"

using namespace emelex;
using namespace emelex::test;

namespace {

// A tensor with values of its own.
struct OwnTensor : Tensor {
  OwnTensor(TensorType type_, std::vector<int64_t> shape_, uint32_t seed) {
    Random random(seed);
    name = "blk.0.test.weight";
    type = type_;
    shape = std::move(shape_);
    int64_t n = 1;
    for (const int64_t size : shape) n *= size;
    if (type == TensorType::f32) {
      const auto values = random.normals(static_cast<size_t>(n), 0.1F);
      bytes_.resize(values.size() * sizeof(float));
      std::memcpy(bytes_.data(), values.data(), bytes_.size());
    } else {
      bytes_ = random_blocks(type, static_cast<size_t>(n), random);
    }
    data = bytes_;
  }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<float> floats(mx::array x) {
  mx::eval(x);
  return {x.data<float>(), x.data<float>() + x.size()};
}

// Steps without attention.
struct Steps {
  explicit Steps(Backend& backend_) : backend(backend_) {}
  BatchPtr step(int tokens) {
    Step step;
    step.tokens.resize(static_cast<size_t>(tokens));
    return backend.prepare(std::make_shared<const Step>(std::move(step)), memory);
  }
  Backend& backend;
  KvMemory memory;
};

mx::array inputs(int tokens, int columns, uint32_t seed = 5) {
  Random random(seed);
  const auto values = random.normals(static_cast<size_t>(tokens * columns));
  return mx::array(values.data(), {tokens, columns}, mx::float32);
}

constexpr int kColumns = 256;

}  // namespace

TEST_CASE("a product gives the same bits in every step, before its matrices are packed and after") {
  mx::set_default_device(mx::Device::cpu);
  for (const TensorType type : {TensorType::q4_0, TensorType::q8_0, TensorType::f16}) {
    CAPTURE(info(type).name);
    const OwnTensor first(type, {128, kColumns}, 1);
    const OwnTensor second(type, {64, kColumns}, 2);
    const OwnTensor again(type, {128, kColumns}, 1);
    const auto backend = cpu::make_cpu_backend(2, true);
    Steps steps(*backend);
    const auto both = backend->product({{&first, &second}, std::nullopt, std::nullopt});
    const auto one = backend->product({{&again}, std::nullopt, std::nullopt});
    const auto x = inputs(1, kColumns);
    const auto expected = (*both)(x, *steps.step(1));
    for (int i = 0; i < 60; ++i) {
      // In either order, and with the step of a prompt between.
      const auto batch = steps.step(1);
      if (i % 2 == 0) CHECK(floats((*one)(x, *batch)[0]) == floats(expected[0]));
      CHECK(floats((*both)(x, *batch)[1]) == floats(expected[1]));
      if (i % 2 != 0) CHECK(floats((*one)(x, *batch)[0]) == floats(expected[0]));
      if (i % 5 == 0) (*both)(inputs(20, kColumns), *steps.step(20));
    }
    CHECK_FALSE(backend->packed_weights().empty());
  }
}

TEST_CASE("a model that only reads prompts packs nothing") {
  const OwnTensor matrix(TensorType::q4_0, {128, kColumns}, 1);
  const auto backend = cpu::make_cpu_backend(2, true);
  Steps steps(*backend);
  const auto product = backend->product({{&matrix}, std::nullopt, std::nullopt});
  for (int i = 0; i < 60; ++i) (*product)(inputs(20, kColumns), *steps.step(20));
  CHECK(backend->packed_weights().empty());
}

TEST_CASE("a described norm, gate and residual are those that are computed one after another") {
  mx::set_default_device(mx::Device::cpu);
  const OwnTensor gate(TensorType::q8_0, {64, kColumns}, 1);
  const OwnTensor up(TensorType::q8_0, {64, kColumns}, 2);
  const OwnTensor weight(TensorType::f32, {kColumns}, 3);
  const OwnTensor bias(TensorType::f32, {kColumns}, 4);
  for (const bool mlx : {false, true}) {
    CAPTURE(mlx);
    const auto backend = mlx ? mlx_backend::make_mlx_backend(mx::Device::cpu) : cpu::make_cpu_backend(2, false);
    Steps steps(*backend);
    const auto x = inputs(3, kColumns);
    const auto residual = inputs(3, 64, 6);
    const auto batch = steps.step(3);
    for (const NormSpec& spec : {NormSpec{NormSpec::Kind::rms, &weight, nullptr, 1e-5F},
                                 NormSpec{NormSpec::Kind::layer, &weight, &bias, 1e-5F}}) {
      const auto normed = (*backend->norm(spec))(x, *batch);
      const auto parts = (*backend->linear({&gate, &up}))(normed, *batch);
      const auto gated = backend->gated(Activation::silu, parts[0], parts[1]);
      const auto product = backend->product({{&gate, &up}, spec, Activation::silu});
      CHECK(floats((*product)(x, *batch)[0]) == floats(gated));
      CHECK(floats(product->add_to(residual, x, *batch)) == floats(backend->add(residual, gated)));
      const auto gelu = backend->product({{&gate}, spec, Activation::gelu});
      CHECK(floats((*gelu)(x, *batch)[0]) == floats(backend->gelu(parts[0])));
    }
  }
}

TEST_CASE("in float16 a norm before a product is the same within rounding, however large its weights are") {
  mx::set_default_device(mx::Device::cpu);
  const OwnTensor matrix(TensorType::q8_0, {64, kColumns}, 1);
  for (const float factor : {1e-3F, 1.0F, 1e3F, 1e6F}) {
    CAPTURE(factor);
    std::vector<float> values(kColumns, factor);
    OwnTensor weight(TensorType::f32, {kColumns}, 3);
    weight.data = std::as_bytes(std::span(values));
    const NormSpec spec{NormSpec::Kind::rms, &weight, nullptr, 1e-5F};
    std::vector<std::vector<float>> found;
    for (const mx::Dtype dtype : {mx::float32, mx::float16}) {
      const auto backend = mlx_backend::make_mlx_backend(mx::Device::cpu, dtype);
      Steps steps(*backend);
      const auto product = backend->product({{&matrix}, spec, std::nullopt});
      found.push_back(floats((*product)(inputs(3, kColumns), *steps.step(3))[0]));
    }
    CHECK(normalized_error(found[1], {found[0].begin(), found[0].end()}) < 1e-4);
  }
}

TEST_CASE("a gate needs two matrices, and no size may be beyond what kernels count") {
  const OwnTensor matrix(TensorType::f32, {4, 32}, 1);
  const auto backend = cpu::make_cpu_backend(1, true);
  expect_error(ErrorCode::internal, {"[kernels]", "two matrices", "blk.0.test.weight"}, [&] {
    backend->product({{&matrix}, std::nullopt, Activation::silu});
  });
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{int64_t{1} << 33, 32}, {32, int64_t{1} << 31}}) {
    Tensor huge = matrix;
    huge.shape = shape;
    expect_error(ErrorCode::unsupported, {"[kernels]", "blk.0.test.weight", "at most 268435456"},
                 [&] { backend->linear({&huge}); });
    expect_error(ErrorCode::unsupported, {"[kernels]", "blk.0.test.weight"},
                 [&] { mlx_backend::make_mlx_backend(mx::Device::cpu)->linear({&huge}); });
  }
}
