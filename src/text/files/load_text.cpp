// The tokenizer and the chat template of a model's files, without its weights.
#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/chat.h"
#include "emelex/tokenizer.h"
#include "text/chat/chat_template.h"
#include "text/chat/chat_template_files.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/tokenizer_factory.h"
#include "weights/safetensors/hf_config.h"
#include "weights/weights.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

// The folder that holds the files of a tokenizer; nothing for a path that is a model file.
fs::path text_folder(const fs::path& path) {
  std::error_code ignored;  // what is wrong with the path is said when it is opened
  if (fs::is_directory(path, ignored)) return path;
  const std::string extension = path.extension().string();
  constexpr std::array<std::string_view, 5> kBeside = {".json", ".jinja", ".model", ".tiktoken", ".safetensors"};
  if (std::find(kBeside.begin(), kBeside.end(), extension) == kBeside.end()) return {};
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// What config.json says, as far as it is needed here: a folder needs none, and may be of a model that emelex can't run.
Metadata config_of(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (is_there(path)) {
    try {
      return read_hf_config(read_text(path), path_text(path), path_text(folder.filename())).metadata;
    } catch (const Error&) {
    }
  }
  Metadata metadata(path_text(folder));
  metadata.add("general.architecture", std::string("unknown"));
  return metadata;
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path) {
  const fs::path folder = text_folder(path);
  if (folder.empty()) return make_tokenizer(open_weights(path)->metadata());
  Metadata metadata = config_of(folder);
  add_hf_tokenizer(folder, metadata);
  return make_tokenizer(metadata);
}

std::unique_ptr<ChatTemplate> load_chat_template(const fs::path& path) {
  const fs::path folder = text_folder(path);
  if (folder.empty()) return make_chat_template(open_weights(path)->metadata());
  Metadata with_tokenizer = config_of(folder);
  Metadata metadata = with_tokenizer;
  try {
    add_hf_tokenizer(folder, with_tokenizer);
    metadata = std::move(with_tokenizer);
  } catch (const Error&) {
    add_hf_chat_templates(folder, metadata);  // which a tokenizer that emelex can't read does not hinder
  }
  return make_chat_template(metadata);
}

}  // namespace emelex
