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
#include "text/files/tokenizer_files.h"
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

// The rows of the embedding, as far as config.json tells: a folder needs none, and may be of a model that emelex can't
// run.
int64_t embedding_rows(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (!is_there(path)) return 0;
  try {
    const HfConfig config = read_hf_config(read_text(path), path_text(path), path_text(folder.filename()));
    return config.metadata.integer(str_cat(config.family->architecture, ".vocab_size")).value_or(0);
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path) {
  const fs::path folder = text_folder(path);
  if (folder.empty()) return make_tokenizer(*metadata_of(path));
  TokenizerSource source(path_text(folder));
  add_hf_tokenizer(folder, embedding_rows(folder), source);
  return make_tokenizer(source);
}

std::unique_ptr<ChatTemplate> load_chat_template(const fs::path& path) {
  const fs::path folder = text_folder(path);
  if (folder.empty()) return make_chat_template(*metadata_of(path));
  // A tokenizer that emelex can't read is no hindrance: it only chooses among the built-in templates.
  const TokenizerSource tokenizer = read_hf_tokenizer(folder, embedding_rows(folder));
  return make_chat_template(read_hf_chat_templates(folder), tokenizer.keys());
}

}  // namespace emelex
