#include "weights/gguf/gguf_file.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "emelex/error.h"
#include "weights/gguf/gguf_format.h"

namespace emelex {
namespace {

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

std::shared_ptr<const MappedFile> map_gguf(const std::filesystem::path& path) {
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 64));
  if (start.substr(0, kGgufMagic.size()) == kGgufMagic) return file;
  // A file that calls itself GGUF and isn't one is damaged; another is of another format.
  const ErrorCode code = path.extension() == ".gguf" ? ErrorCode::corrupt_file : ErrorCode::unsupported;
  throw Error(code, str_cat("[weights] expected a GGUF file, got ", describe(start), " at ", path_text(path)));
}

}  // namespace emelex
