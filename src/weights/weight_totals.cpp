#include "weights/weight_totals.h"

#include <algorithm>
#include <map>

namespace emelex {

WeightTotals total_weights(const Weights& weights) {
  WeightTotals totals;
  std::map<std::string, int64_t> bytes_of_type;
  for (const auto& [name, tensor] : weights.tensors()) {
    int64_t values = 1;
    for (const int64_t extent : tensor.shape) values *= extent;
    const auto bytes = static_cast<int64_t>(tensor.bytes());
    totals.parameters += values;
    totals.bytes += bytes;
    bytes_of_type[tensor.type_name()] += bytes;
  }
  const auto most = std::max_element(bytes_of_type.begin(), bytes_of_type.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != bytes_of_type.end()) totals.main_type = most->first;
  for (char& c : totals.main_type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return totals;
}

}  // namespace emelex
