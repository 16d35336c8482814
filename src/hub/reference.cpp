#include "hub/reference.h"

#include <algorithm>

#include "emelex/hub.h"
#include "hub/aliases.h"
#include "hub/hub_client.h"
#include "hub/names.h"
#include "hub/select_files.h"

namespace emelex {

namespace {

// "https://huggingface.co/org/name?x" → "org/name"; anything but such an address stays as it is.
std::string without_host(std::string_view text) {
  const std::string lower = to_lower(text);
  size_t begin = 0;
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (lower.starts_with(scheme)) begin = scheme.size();
  }
  bool address = false;
  for (const std::string_view host : {"huggingface.co/", "www.huggingface.co/", "hf.co/"}) {
    if (lower.compare(begin, host.size(), host) != 0) continue;
    begin += host.size();
    address = true;
    break;
  }
  if (!address && lower.starts_with("hf://")) {
    begin = 5;
    address = true;
  }
  if (!address) return std::string(text);
  std::string rest(text.substr(begin));
  rest.resize(std::min(rest.size(), rest.find_first_of("?#")));
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.starts_with("models/")) rest.erase(0, 7);
  return rest;
}

// What follows a repository's name in the address of a file: "resolve/main/a.gguf", "tree/main", or "a.gguf".
bool read_file_address(std::string_view rest, ModelReference& reference) {
  for (const std::string_view verb : {"resolve/", "blob/", "raw/", "tree/"}) {
    if (!rest.starts_with(verb)) continue;
    rest.remove_prefix(verb.size());
    const size_t slash = rest.find('/');
    reference.revision = rest.substr(0, slash);
    reference.wanted = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    return !reference.revision.empty();
  }
  reference.wanted = rest;
  return to_lower(rest).ends_with(".gguf");
}

}  // namespace

std::optional<ModelReference> parse_reference(std::string_view text) {
  if (const Alias* alias = find_alias(to_lower(text))) {
    return ModelReference{std::string(alias->repo), "", std::string(alias->quantization), ""};
  }
  const std::string address = without_host(text);
  std::string_view rest = address;
  ModelReference reference;
  // "org/name", then ":QUANT", "@REVISION", "/resolve/REVISION/FILE" or "/FILE".
  const size_t slash = rest.find('/');
  const size_t end = slash == std::string_view::npos ? slash : rest.find_first_of("/:@", slash + 1);
  reference.repo = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  if (rest.starts_with('@')) {
    const size_t colon = rest.find(':');
    reference.revision = rest.substr(1, colon == std::string_view::npos ? colon : colon - 1);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
    if (reference.revision.empty()) return {};
  }
  if (rest.starts_with(':')) {
    reference.wanted = rest.substr(1);
    if (reference.wanted.empty()) return {};
    if (to_lower(reference.wanted) == "latest") reference.wanted.clear();  // as Ollama has it
  } else if (rest.starts_with('/') && !read_file_address(rest.substr(1), reference)) {
    return {};
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

std::vector<const InstalledModel*> pulled_as(std::string_view text, const std::vector<InstalledModel>& models) {
  const auto reference = parse_reference(text);
  std::vector<const InstalledModel*> found;
  if (!reference) return found;
  const std::string wanted = to_lower(reference->wanted);
  for (const InstalledModel& model : models) {
    if (to_lower(model.source.repo) != to_lower(reference->repo)) continue;
    const std::string tag = model.name.substr(std::min(model.name.size(), model.name.find(':') + 1));
    const std::string file = to_lower(model.path.filename().string());
    const bool fits = wanted.empty() || wanted == quantization_of_file(file) || wanted == file || wanted == tag ||
                      wanted == to_lower(model.path.string());
    if (fits) found.push_back(&model);
  }
  return found;
}

std::string name_of_remote_model(const std::string& repo, const std::string& quantization) {
  const std::string name = repo.substr(repo.find('/') + 1);
  if (quantization.empty()) return derive_model_name(name, "");
  // The repository may have a quantization in its name, and hold others all the same.
  const std::string derived = derive_model_name(name, quantization);
  const std::string base = derived.substr(0, derived.find(':'));
  return derive_model_name(base + "-gguf", quantization);
}

}  // namespace emelex
