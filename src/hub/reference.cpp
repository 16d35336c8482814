#include "hub/reference.h"

#include "emelex/hub.h"
#include "hub/aliases.h"
#include "hub/hub_client.h"
#include "hub/names.h"

namespace emelex {

std::optional<ModelReference> parse_reference(std::string_view text) {
  if (const Alias* alias = find_alias(to_lower(text))) {
    return ModelReference{std::string(alias->repo), "", std::string(alias->quantization)};
  }
  for (const std::string_view prefix : {"https://huggingface.co/", "https://hf.co/", "huggingface.co/", "hf.co/"}) {
    if (text.starts_with(prefix)) {
      text.remove_prefix(prefix.size());
      break;
    }
  }
  const size_t colon = text.find(':');
  ModelReference reference{std::string(text.substr(0, colon)), "", ""};
  if (colon != std::string_view::npos) {
    reference.wanted = text.substr(colon + 1);
    if (reference.wanted.empty()) return {};
  }
  try {
    check_repo_name(reference.repo);
  } catch (const Error&) {
    return {};
  }
  return reference;
}

std::vector<std::string> preferred_quantizations(const std::string& preferred, const std::string& usual) {
  std::vector<std::string> names;
  for (const std::string& name : {to_lower(preferred), to_lower(usual), std::string("q4_k_m"), std::string("q4_0")}) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

std::string name_of_remote_model(const std::string& repo, const std::string& quantization) {
  return derive_model_name(repo.substr(repo.find('/') + 1), quantization);
}

}  // namespace emelex
