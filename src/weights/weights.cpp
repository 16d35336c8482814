#include "weights/weights.h"

#include <algorithm>
#include <system_error>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/gguf/gguf_format.h"
#include "weights/gguf/gguf_reader.h"
#include "weights/safetensors/safetensors_reader.h"

namespace emelex {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return out + "]";
}

// What a file that is no GGUF file seems to be, for people who picked the wrong one.
std::string describe(std::string_view bytes) {
  const auto starts_with = [&](std::string_view start) { return bytes.substr(0, start.size()) == start; };
  if (starts_with("version https://git-lfs")) return "a Git LFS pointer (the model itself was not downloaded)";
  if (starts_with("ggml") || starts_with("lmgg") || starts_with("tjgg") || starts_with("fmgg")) {
    return "a file of a format older than GGUF (convert it)";
  }
  if (starts_with("PK\x03\x04")) return "a zip file or PyTorch checkpoint";
  if (bytes.size() > 9 && bytes[8] == '{') return "what looks like a SafeTensors file (name it .safetensors)";
  return str_cat("a file that starts with ", quote_bytes(bytes.substr(0, 8)));
}

}  // namespace

const Tensor* Weights::find(std::string_view name) const {
  const auto at = tensors_.find(name);
  if (at != tensors_.end()) return &at->second;
  const auto unreadable = unreadable_.find(name);
  if (unreadable == unreadable_.end()) return nullptr;
  throw Error(ErrorCode::unsupported,
              str_cat("[weights] expected tensor ", quote_bytes(name), " in a type that emelex has, got ",
                      unreadable->second, " in ", path_text(path_)));
}

const Tensor& Weights::require(std::string_view name, const std::vector<int64_t>& shape) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr || tensor->shape != shape) {
    const std::string got = tensor == nullptr ? "no such tensor" : shape_text(tensor->shape);
    throw Error(ErrorCode::corrupt_file, str_cat("[weights] expected tensor ", quote_bytes(name), " of shape ",
                                                 shape_text(shape), ", got ", got, " in ", path_text(path_)));
  }
  return *tensor;
}

std::shared_ptr<const Weights> open_weights(const std::filesystem::path& path) {
  std::error_code ignored;  // what is wrong with the path is said by MappedFile
  if (std::filesystem::is_directory(path, ignored)) return open_safetensors_folder(path);
  if (path.extension() == ".safetensors") return open_safetensors_file(path);
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 64));
  if (start.substr(0, kGgufMagic.size()) != kGgufMagic) {
    // A file that calls itself GGUF and isn't one is damaged; another is of another format.
    const ErrorCode code = path.extension() == ".gguf" ? ErrorCode::corrupt_file : ErrorCode::unsupported;
    throw Error(code, str_cat("[weights] expected a GGUF file, got ", describe(start), " at ", path_text(path)));
  }
  return read_gguf(bytes, file, path);
}

}  // namespace emelex
