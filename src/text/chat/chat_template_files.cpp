#include "text/chat/chat_template_files.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/json_members.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// The longest tokenizer_config.json in use lists 100,000 added tokens in 12 MB.
constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};
constexpr size_t kMostTemplates = 64;
constexpr uintmax_t kMostTemplateBytes = 1 << 20;  // as jinja/limits.h has it, so that nothing larger is read

using Templates = std::map<std::string, std::string>;

std::optional<Json> read_json(const fs::path& path) {
  if (!is_there(path)) return std::nullopt;
  return parse_json(read_text(path), kConfigLimits, "chat template", path_text(path));
}

std::string read_template(const fs::path& path) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (!error && size > kMostTemplateBytes) {
    throw Error(ErrorCode::unsupported, str_cat("[chat template] expected at most ", kMostTemplateBytes, " bytes, got ",
                                                size, " in ", path_text(path)));
  }
  return !error && size == 0 ? std::string() : read_text(path);
}

// A string, or a list of named ones.
Templates templates_in(const Json& config) {
  Templates templates;
  const Json* value = find_member(config, "chat_template");
  if (value == nullptr) return templates;
  if (value->is_string()) templates["default"] = value->get<std::string>();
  for (const Json& named : value->is_array() ? *value : Json::array()) {
    const std::string name = text_of(named, "name");
    if (!name.empty() && templates.size() < kMostTemplates) templates[name] = text_of(named, "template");
  }
  return templates;
}

Templates templates_in_files(const fs::path& folder) {
  Templates templates;
  if (is_there(folder / "chat_template.jinja")) templates["default"] = read_template(folder / "chat_template.jinja");
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "additional_chat_templates", none)) {
    if (entry.path().extension() != ".jinja" || templates.size() >= kMostTemplates) continue;
    templates[entry.path().stem().string()] = read_template(entry.path());
  }
  return templates;
}

void add_special_tokens(const Json& config, std::map<std::string, std::string>& tokens) {
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    const Json* value = find_member(config, name);
    if (value != nullptr) tokens[name] = value->is_string() ? value->get<std::string>() : text_of(*value, "content");
  }
}

}  // namespace

ChatTemplateSource read_hf_chat_templates(const fs::path& folder) {
  ChatTemplateSource source;
  source.where = path_text(folder);
  const auto config = read_json(folder / "tokenizer_config.json");
  if (config) add_special_tokens(*config, source.special_tokens);
  Templates templates = templates_in_files(folder);
  if (!templates.contains("default") && config) templates.merge(templates_in(*config));
  if (templates.empty()) {
    if (const auto json = read_json(folder / "chat_template.json")) templates = templates_in(*json);
  }
  for (auto& [name, text] : templates) source.templates.push_back({name, std::move(text), std::nullopt});
  return source;
}

}  // namespace emelex
