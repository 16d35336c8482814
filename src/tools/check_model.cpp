#include "tools/check_model.h"

#include "emelex/error.h"
#include "engine/choose_route.h"
#include "models/architecture.h"
#include "models/model.h"
#include "weights/weights.h"

namespace emelex {

void check_model(const std::filesystem::path& path) {
  const auto weights = open_weights(path);
  find_architecture(weights->metadata());
  try {
    const auto route = make_route({Device::cpu, KernelRoute::fast}, 1);
    make_model({weights, *route, 0});
  } catch (const Error& error) {
    // What is missing in a file says nothing of what emelex can compute; whoever runs it is told.
    if (error.code() == ErrorCode::unsupported) throw;
  }
}

}  // namespace emelex
