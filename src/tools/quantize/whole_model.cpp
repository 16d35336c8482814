#include "tools/quantize/whole_model.h"

#include <string>

#include "base/strings.h"
#include "emelex/error.h"
#include "engine/choose_backend.h"
#include "models/model.h"

namespace emelex {

void check_readable(const Weights& weights) {
  constexpr size_t kMostNames = 5;  // in the message
  std::string names;
  size_t n = 0;
  for (const auto& [name, what] : weights.unreadable()) {
    if (++n <= kMostNames) names += str_cat(n == 1 ? "" : ", ", quote_bytes(name), " (", what, ")");
  }
  if (n == 0) return;
  if (n > kMostNames) names += str_cat(" and ", n - kMostNames, " more");
  throw Error(ErrorCode::unsupported,
              str_cat("[quantize] expected tensors of types that emelex can read, so that nothing is lost, got ", names,
                      " in ", path_text(weights.path())));
}

void check_whole(const std::shared_ptr<const Weights>& weights) {
  check_readable(*weights);
  const auto backend = make_backend({Device::cpu, KernelBackend::fast}, 1);
  (void)make_model({weights, *backend, 0});
}

}  // namespace emelex
