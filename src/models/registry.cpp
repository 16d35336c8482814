#include <functional>
#include <map>

#include "base/strings.h"
#include "emelex/error.h"
#include "models/architectures.h"
#include "models/model.h"

namespace emelex {
namespace {

using MakeModel = std::unique_ptr<Model> (*)(const ModelInput&);

// By general.architecture.
const std::map<std::string, MakeModel, std::less<>>& architectures() {
  static const std::map<std::string, MakeModel, std::less<>> all = {
      {"command-r", make_command_r}, {"gemma2", make_gemma2}, {"gemma3", make_gemma3}, {"gpt-oss", make_gpt_oss},
      {"granite", make_granite},     {"llama", make_llama},   {"olmo2", make_olmo2},   {"phi2", make_phi2},
      {"phi3", make_phi3},           {"qwen2", make_qwen2},   {"qwen3", make_qwen3},   {"qwen3moe", make_qwen3moe},
      {"smollm3", make_smollm3}};
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

std::unique_ptr<Model> make_model(const ModelInput& source) {
  return find_architecture(source.weights->metadata())(source);
}

}  // namespace emelex
