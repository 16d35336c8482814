#pragma once

#include <memory>
#include <vector>

#include "kernels/attention.h"
#include "kernels/cpu/cpu_context.h"

namespace emelex::cpu {

// Attention over a HostKvPool.
std::unique_ptr<AttentionOp> make_attention(CpuContextPtr context, const AttentionConfig& config,
                                            const std::vector<float>& sinks, int layer);

}  // namespace emelex::cpu
