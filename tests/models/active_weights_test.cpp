#include "models/active_weights.h"

#include <doctest/doctest.h>

#include <functional>

namespace emelex {
namespace {

TEST_CASE("Experts' tensors are known by their names") {
  for (const char* name : {"blk.0.ffn_gate_exps.weight", "blk.12.ffn_up_exps.bias", "blk.0.ffn_down.7.weight",
                           "blk.0.ffn_gate_up_exps.weight", "blk.0.ffn_gate_up_pairs.bias"}) {
    CAPTURE(name);
    CHECK(is_of_experts(name));
  }
  for (const char* name : {"token_embd.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_gate_inp.weight",
                           "blk.0.ffn_norm.weight", "blk.0.attn_q.weight", "ffn_", "ffn_up.", ""}) {
    CAPTURE(name);
    CHECK_FALSE(is_of_experts(name));
  }
}

TEST_CASE("The number of experts in use may be a list with one for each layer") {
  const std::vector<std::byte> data(size_t{4} * 8 * 8 * 4);
  const auto bytes = [&](const std::function<void(Metadata&)>& add_used) {
    Metadata metadata("tiny.gguf");
    metadata.add("general.architecture", std::string("llama"));
    metadata.add("llama.expert_count", uint64_t{4}, 4);
    add_used(metadata);
    std::map<std::string, Tensor, std::less<>> tensors;
    tensors["blk.0.ffn_up_exps.weight"] = {"blk.0.ffn_up_exps.weight", TensorType::f32, {4, 8, 8}, data, nullptr};
    return active_bytes(Weights("tiny.gguf", std::move(metadata), std::move(tensors)));
  };
  const auto all = static_cast<int64_t>(data.size());
  CHECK(bytes([](Metadata& metadata) { metadata.add("llama.expert_used_count", uint64_t{2}, 4); }) == all / 2);
  CHECK(bytes([](Metadata& metadata) {
          metadata.add("llama.expert_used_count", std::vector<int64_t>{1, 1, 1}, 4);
        }) == all / 4);
}

}  // namespace
}  // namespace emelex
