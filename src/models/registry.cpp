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

}  // namespace

std::unique_ptr<Model> make_model(std::shared_ptr<const Weights> weights, Route& route) {
  const std::string name = weights->metadata().require_string("general.architecture");
  const auto found = architectures().find(name);
  if (found != architectures().end()) return found->second(std::move(weights), route);
  std::string known;
  for (const auto& [architecture, make] : architectures()) known += (known.empty() ? "" : ", ") + architecture;
  throw Error(ErrorCode::unsupported, str_cat("[models] expected one of the known architectures (", known, "), got ",
                                              quote_bytes(name), " in ", weights->metadata().source()));
}

}  // namespace emelex
