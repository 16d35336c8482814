#include <doctest/doctest.h>

#include <cmath>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "models/forward_pass.h"

using namespace emelex;
using namespace emelex::test;

namespace {

// What making a model of the file says.
void load(const TinyLlama& model, const std::string& without = {}) {
  const TemporaryFolder folder;
  model.write(folder.path() / "tiny.gguf", without);
  const auto backend = make_backend({Device::cpu, KernelBackend::fast}, 1);
  make_model({open_weights(folder.path() / "tiny.gguf"), *backend, 0});
}

}  // namespace

TEST_CASE("each tensor that is missing is named") {
  for (const auto& [name, shape] : TinyLlama().shapes()) {
    if (name == "output.weight") continue;  // then it is tied
    CAPTURE(name);
    expect_error(ErrorCode::corrupt_file, {name}, [&] { load({}, name); });
  }
}

TEST_CASE("each tensor of experts that is missing or of another number of experts is named") {
  TinyLlama model;
  model.n_experts = 3;
  for (const auto& [name, shape] : model.shapes()) {
    if (name.find("ffn_") == std::string::npos) continue;
    CAPTURE(name);
    expect_error(ErrorCode::corrupt_file, {name.find("gate_inp") == std::string::npos ? name : "ffn_gate.weight"},
                 [&] { load(model, name); });
  }
  model.n_experts = 1;  // of which two would compute a token
  expect_error(ErrorCode::corrupt_file, {"expert_used_count"}, [&] { load(model); });
}

TEST_CASE("numbers of heads and rotated values that cannot be are refused") {
  TinyLlama model;
  model.n_kv_heads = 4;  // 6 heads
  expect_error(ErrorCode::corrupt_file, {"head_count"}, [&] { load(model); });
  model = {};
  model.rope_dim = 18;  // of 16
  expect_error(ErrorCode::corrupt_file, {"rope.dimension_count"}, [&] { load(model); });
  model.rope_dim = 7;
  expect_error(ErrorCode::corrupt_file, {"rope.dimension_count"}, [&] { load(model); });
  model.rope_dim = 8;  // which llama.cpp refuses of Llamas
  expect_error(ErrorCode::unsupported, {"llama.rope.dimension_count", "16", "8"}, [&] { load(model); });
  model = {};
  model.rope_base = 0.0F;
  expect_error(ErrorCode::corrupt_file, {"rope.freq_base", "above 0"}, [&] { load(model); });
}

TEST_CASE("numbers that would make every logit NaN are refused") {
  for (const float value : {0.0F, -1.0F, NAN, INFINITY}) {
    CAPTURE(value);
    TinyLlama model;
    model.rope_base = value;
    expect_error(ErrorCode::corrupt_file, {"'llama.rope.freq_base'", "above 0"}, [&] { load(model); });
    model = {};
    model.norm_eps = value;
    expect_error(ErrorCode::corrupt_file, {"layer_norm_rms_epsilon'", "above 0"}, [&] { load(model); });
  }
}
