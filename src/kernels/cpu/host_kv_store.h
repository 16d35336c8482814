#pragma once

#include <memory>

#include "kernels/cpu/cpu_context.h"
#include "kernels/route.h"

namespace emelex::cpu {

// KV blocks in the process's own memory, allocated as they come into use.
std::unique_ptr<KvStore> make_host_kv_store(CpuContextPtr context, const KvShape& shape);

}  // namespace emelex::cpu
