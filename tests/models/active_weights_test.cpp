#include "models/active_weights.h"

#include <doctest/doctest.h>

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

}  // namespace
}  // namespace emelex
