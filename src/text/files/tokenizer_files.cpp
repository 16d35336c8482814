#include "text/files/tokenizer_files.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/sentencepiece_file.h"
#include "text/files/tiktoken_file.h"
#include "text/files/tokenizer_json.h"
#include "text/vocabulary/vocabulary.h"
#include "weights/weights.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostTokens = size_t{1} << 24U;
constexpr size_t kMostFileBytes = size_t{128} << 20U;  // the largest in use have 35 MB

bool is_kind_of_tokenizer(const std::string& name) {
  return name.ends_with(".tiktoken") || name == "tiktoken.model" || name == "tokenizer.model" ||
         name.starts_with("tokenizer.model.") || name == "sentencepiece.bpe.model" || name == "spiece.model" ||
         (name.starts_with("tekken") && name.ends_with(".json"));
}

// The file to read: the best known name that is there, else the first of its kind by name.
fs::path find_tokenizer_file(const fs::path& folder) {
  for (const char* name : {"tokenizer.json", "tekken.json", "tokenizer.model"}) {
    if (is_there(folder / name)) return folder / name;
  }
  std::vector<fs::path> found;
  std::error_code error;  // what can't be read has no tokenizer
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (is_kind_of_tokenizer(entry.path().filename().string())) found.push_back(entry.path());
  }
  if (!found.empty()) return *std::min_element(found.begin(), found.end());
  throw Error(
      ErrorCode::unsupported,
      str_cat("[tokenizer] expected tokenizer.json, tekken.json or tokenizer.model beside the model, got none in ",
              path_text(folder)));
}

// As many tokens as the embedding has rows. A row without a token gets one that no text has, as in GGUF files; a token
// without a row is left out.
void fit(int64_t n_rows, TokenizerSource& source) {
  constexpr const char* kTokens = "tokenizer.ggml.tokens";
  constexpr const char* kTypes = "tokenizer.ggml.token_type";
  constexpr const char* kScores = "tokenizer.ggml.scores";
  const auto size = static_cast<size_t>(std::clamp<int64_t>(n_rows, 0, kMostTokens));
  Metadata& keys = source.own;
  std::vector<std::string> tokens = *keys.strings(kTokens);
  if (size == 0 || tokens.size() == size) return;
  if (tokens.size() > size) {
    source.warnings.push_back(str_cat("the tokenizer has ", tokens.size() - size, " ids from ", size,
                                      " on, which the model's embedding of ", size, " rows lacks; they are left out (",
                                      source.where(), ")"));
    tokens.resize(size);
  }
  for (size_t id = tokens.size(); id < size; ++id) tokens.push_back(str_cat("[PAD", id, "]"));
  std::vector<int64_t> types = *keys.integers(kTypes);
  auto scores = keys.numbers(kScores);
  types.resize(size, static_cast<int64_t>(TokenType::unused));
  for (const char* key : {kTokens, kTypes, kScores}) keys.remove(key);
  keys.add(kTokens, std::move(tokens));
  keys.add(kTypes, std::move(types), 4);
  if (!scores) return;
  scores->resize(size);
  keys.add(kScores, std::move(*scores), 4);
}

}  // namespace

void add_tokenizer_file(const fs::path& file, int64_t n_rows, TokenizerSource& source) {
  const std::string where = path_text(file);
  const std::string name = file.filename().string();
  const std::shared_ptr<const MappedFile> mapped = MappedFile::open(file);
  if (mapped->bytes().size() > kMostFileBytes) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected a tokenizer of at most ", kMostFileBytes,
                                                 " bytes, got ", mapped->bytes().size(), " in ", where));
  }
  const std::string_view text = {reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()};
  if (name.starts_with("tekken")) {
    add_tekken(text, where, source);
  } else if (name.ends_with(".json")) {
    return add_tokenizer_json(read_tokenizer_json(text, where), n_rows, source);
  } else if (is_sentencepiece(mapped->bytes())) {
    add_sentencepiece(mapped->bytes(), where, source);
  } else {
    add_tiktoken(text, where, source);
  }
  fit(n_rows, source);
}

void add_tokenizer_files(const fs::path& folder, int64_t n_rows, TokenizerSource& source) {
  add_tokenizer_file(find_tokenizer_file(folder), n_rows, source);
}

std::shared_ptr<const Metadata> metadata_of(const fs::path& gguf) {
  const std::shared_ptr<const Weights> weights = open_weights(gguf);
  return {weights, &weights->metadata()};
}

TokenizerSource read_tokenizer_source(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (path.extension() == ".gguf") return gguf_tokenizer_source(metadata_of(path));
    TokenizerSource source(path_text(path));
    add_tokenizer_file(path, 0, source);
    if (const auto eos = source.own.integer("tokenizer.ggml.eos_token_id")) source.ends.ids.push_back(*eos);
    return source;
  }
  TokenizerSource source(path_text(path));
  add_hf_tokenizer(path, 0, source);
  return source;
}

}  // namespace emelex
