#include "weights/gguf/gguf_split.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/gguf/gguf_file.h"
#include "weights/gguf/gguf_format.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostParts = 1024;       // the largest models come in some 200
constexpr int64_t kMostTensors = 1 << 20;  // in all parts; the largest models have a few thousand
constexpr const char* kNoKey = "split.no";
constexpr const char* kTensorsKey = "split.tensors.count";

[[noreturn]] void fail(ErrorCode code, std::string_view expected, std::string_view got, const fs::path& path) {
  throw Error(code, str_cat("[gguf] expected ", expected, ", got ", got, " in ", path_text(path)));
}

// What a part says of itself.
struct Split {
  int64_t no;  // from 0
  int64_t count;
  int64_t n_tensors;  // in all parts
};

// Nothing for a model in one file.
std::optional<Split> split_of(const Metadata& metadata) {
  if (!metadata.contains(kGgufSplitCountKey)) return std::nullopt;
  const int64_t count = metadata.require_integer(kGgufSplitCountKey, 0, kMostParts);
  if (count <= 1) return std::nullopt;
  return Split{metadata.require_integer(kNoKey, 0, count - 1), count,
               metadata.require_integer(kTensorsKey, 0, kMostTensors)};
}

// "-00001-of-00003.gguf" of part 0. People count from 1, the key from 0.
std::string name_ending(int64_t no, int64_t count) {
  const auto five_digits = [](int64_t n) { return std::to_string(100'000 + n).substr(1); };
  return str_cat("-", five_digits(no + 1), "-of-", five_digits(count), ".gguf");
}

// "NAME" of "NAME-00002-of-00003.gguf". A renamed part and one with wrong numbers are the same to us.
std::string name_before_ending(const fs::path& path, const Split& split) {
  const std::string name = path.filename().string();
  const std::string ending = name_ending(split.no, split.count);
  if (!name.ends_with(ending)) {
    fail(ErrorCode::corrupt_file,
         str_cat("a name with ", quote_bytes(ending), " at the end for part ", split.no + 1, " of ", split.count),
         quote_bytes(name), path);
  }
  return name.substr(0, name.size() - ending.size());
}

GgufPart open_part(const fs::path& path) {
  const auto file = map_gguf(path);
  return {path, read_gguf_content(file->bytes(), file, path)};
}

std::vector<GgufPart> open_all_parts(GgufPart given, const Split& split) {
  const std::string name = name_before_ending(given.path, split);
  const fs::path given_path = given.path;
  std::vector<GgufPart> parts;
  for (int64_t i = 0; i < split.count; ++i) {
    if (i == split.no) {
      parts.push_back(std::move(given));
      continue;
    }
    fs::path path = given_path;
    path.replace_filename(name + name_ending(i, split.count));
    std::error_code ignored;  // what can't be asked about is opened, which says why
    if (fs::status(path, ignored).type() == fs::file_type::not_found) {
      fail(ErrorCode::not_found,
           str_cat("part ", i + 1, " of ", split.count, ", ", quote_bytes(path.filename().string()), ", beside it"),
           "none (download it too)", given_path);
    }
    parts.push_back(open_part(path));
  }
  return parts;
}

// Parts but the first have hardly a key, so what can be compared is compared.
void check_same_model(const GgufPart& part, const GgufPart& first) {
  for (const auto& [key, value] : part.content.metadata.values()) {
    const Metadata::Value* other = first.content.metadata.find(key);
    if (key == kNoKey || key == kGgufAlignmentKey || other == nullptr || value == *other) continue;
    fail(ErrorCode::corrupt_file,
         str_cat(quote_bytes(key), " to be the same in ", path_text(first.path.filename()),
                 " and its other parts (are they of one model?)"),
         "another value", part.path);
  }
}

void check_is_part(const GgufPart& part, int64_t no, int64_t count) {
  const auto split = split_of(part.content.metadata);
  if (!split) {
    fail(ErrorCode::corrupt_file, str_cat("part ", no + 1, " of ", count, " of a model"), "a model of its own",
         part.path);
  }
  if (split->no == no && split->count == count) return;
  fail(ErrorCode::corrupt_file,
       str_cat("part ", no + 1, " of ", count, " (split.no ", no, ", split.count ", count, ")"),
       str_cat("split.no ", split->no, " and split.count ", split->count), part.path);
}

void add_tensors(GgufPart& part, std::map<std::string, Tensor, std::less<>>& tensors) {
  tensors.merge(part.content.tensors);
  if (part.content.tensors.empty()) return;  // what stays behind was there already
  fail(ErrorCode::corrupt_file, "each tensor in one part",
       str_cat(quote_bytes(part.content.tensors.begin()->first), " once more"), part.path);
}

}  // namespace

std::shared_ptr<const Weights> join_gguf_parts(std::vector<GgufPart> parts) {
  GgufPart& first = parts.at(0);
  std::map<std::string, Tensor, std::less<>> tensors;
  std::vector<fs::path> files;
  for (size_t i = 0; i < parts.size(); ++i) {
    check_is_part(parts[i], static_cast<int64_t>(i), static_cast<int64_t>(parts.size()));
    check_same_model(parts[i], first);
    add_tensors(parts[i], tensors);
    files.push_back(parts[i].path);
  }
  Metadata metadata = std::move(first.content.metadata);
  const int64_t n_tensors = metadata.require_integer(kTensorsKey, 0, kMostTensors);
  if (n_tensors != static_cast<int64_t>(tensors.size())) {
    fail(ErrorCode::corrupt_file, str_cat(n_tensors, " tensors in all parts (", kTensorsKey, ")"),
         str_cat(tensors.size()), first.path);
  }
  for (const char* key : {kNoKey, kGgufSplitCountKey, kTensorsKey}) metadata.remove(key);
  return std::make_shared<const Weights>(first.path, std::move(metadata), std::move(tensors),
                                         std::map<std::string, std::string, std::less<>>{}, std::move(files));
}

std::shared_ptr<const Weights> open_gguf(const fs::path& path) {
  GgufPart file = open_part(path);
  if (const auto split = split_of(file.content.metadata))
    return join_gguf_parts(open_all_parts(std::move(file), *split));
  return std::make_shared<const Weights>(path, std::move(file.content.metadata), std::move(file.content.tensors));
}

}  // namespace emelex
