#include <mlx/device.h>
#include <mlx/version.h>

#include "emelex/engine.h"
#include "kernels/cpu/isa.h"

namespace emelex {

std::string_view version() { return EMELEX_VERSION; }

BuildInfo build_info() {
  namespace mx = mlx::core;
  BuildInfo info{std::string(version()), mx::version(), cpu::instruction_set(), {"cpu"}};
  if (mx::is_available(mx::Device(mx::Device::gpu))) info.devices.emplace_back("gpu");
  return info;
}

}  // namespace emelex
