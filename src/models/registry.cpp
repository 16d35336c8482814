#include <functional>
#include <map>

#include "base/strings.h"
#include "emelex/error.h"
#include "models/llama.h"
#include "models/model.h"

namespace emelex {
namespace {

using MakeModel = std::unique_ptr<Model> (*)(std::shared_ptr<const Weights>, Route&);

// By general.architecture.
const std::map<std::string, MakeModel, std::less<>>& architectures() {
  static const std::map<std::string, MakeModel, std::less<>> all = {{"llama", make_llama}};
  return all;
}

MakeModel find_architecture(const Metadata& metadata) {
  const std::string name = metadata.require_string("general.architecture");
  const auto found = architectures().find(name);
  if (found != architectures().end()) return found->second;
  std::string known;
  for (const auto& [architecture, make] : architectures()) known += (known.empty() ? "" : ", ") + architecture;
  throw Error(ErrorCode::unsupported, str_cat("[models] expected one of the known architectures (", known, "), got ",
                                              quote_bytes(name), " in ", metadata.source()));
}

}  // namespace

void check_architecture(const Metadata& metadata) { find_architecture(metadata); }

std::unique_ptr<Model> make_model(std::shared_ptr<const Weights> weights, Route& route) {
  const MakeModel make = find_architecture(weights->metadata());
  return make(std::move(weights), route);
}

}  // namespace emelex
