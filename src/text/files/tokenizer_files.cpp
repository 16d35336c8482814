#include "text/files/tokenizer_files.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/sentencepiece_file.h"
#include "text/files/tiktoken_file.h"
#include "text/files/tokenizer_json.h"

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

// Rows of the embedding that have no token get one that no text has, as in GGUF files.
void pad(int64_t least_size, Metadata& metadata) {
  constexpr const char* kTokens = "tokenizer.ggml.tokens";
  constexpr const char* kTypes = "tokenizer.ggml.token_type";
  constexpr const char* kScores = "tokenizer.ggml.scores";
  const auto size = static_cast<size_t>(std::clamp<int64_t>(least_size, 0, kMostTokens));
  std::vector<std::string> tokens = *metadata.strings(kTokens);
  if (tokens.size() >= size) return;
  std::vector<int64_t> types = *metadata.integers(kTypes);
  auto scores = metadata.numbers(kScores);
  for (size_t id = tokens.size(); id < size; ++id) tokens.push_back(str_cat("[PAD", id, "]"));
  constexpr int64_t kUnused = 5;
  types.resize(size, kUnused);
  for (const char* key : {kTokens, kTypes, kScores}) metadata.remove(key);
  metadata.add(kTokens, std::move(tokens));
  metadata.add(kTypes, std::move(types), 4);
  if (!scores) return;
  scores->resize(size);
  metadata.add(kScores, std::move(*scores), 4);
}

}  // namespace

void add_tokenizer_file(const fs::path& file, int64_t least_size, Metadata& metadata) {
  const std::string source = path_text(file);
  const std::string name = file.filename().string();
  const std::shared_ptr<const MappedFile> mapped = MappedFile::open(file);
  if (mapped->bytes().size() > kMostFileBytes) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected a tokenizer of at most ", kMostFileBytes,
                                                 " bytes, got ", mapped->bytes().size(), " in ", source));
  }
  const std::string_view text = {reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()};
  if (name.starts_with("tekken")) {
    add_tekken(text, source, metadata);
  } else if (name.ends_with(".json")) {
    return add_tokenizer_json(read_tokenizer_json(text, source), least_size, metadata);
  } else if (is_sentencepiece(mapped->bytes())) {
    add_sentencepiece(mapped->bytes(), source, metadata);
  } else {
    add_tiktoken(text, source, metadata);
  }
  pad(least_size, metadata);
}

void add_tokenizer_files(const fs::path& folder, int64_t least_size, Metadata& metadata) {
  add_tokenizer_file(find_tokenizer_file(folder), least_size, metadata);
}

Metadata read_tokenizer_metadata(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (path.extension() == ".gguf") return open_weights(path)->metadata();
    Metadata metadata(path_text(path));
    add_tokenizer_file(path, 0, metadata);
    return metadata;
  }
  Metadata metadata(path_text(path));
  add_hf_tokenizer(path, metadata);
  return metadata;
}

}  // namespace emelex
