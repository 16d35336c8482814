#include "weights/gguf/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/gguf/gguf_format.h"

namespace emelex {
namespace {

// What a file may claim. All of it is far above what real models have, and keeps memory bounded for those that lie.
constexpr uint64_t kMostKeys = 65'536;            // models have below a hundred
constexpr uint64_t kMostTensors = 65'536;         // the largest models have a few thousand
constexpr uint64_t kMostKeyBytes = 65'535;        // the format's own limit
constexpr uint64_t kMostNameBytes = 256;          // ggml's limit is 63
constexpr uint64_t kMostStringBytes = 16 << 20;   // chat templates, the longest strings, stay below 1 MB
constexpr uint64_t kMostArrayLength = 16 << 20;   // the largest vocabularies have 262,144 tokens, and 514,906 merges
constexpr uint64_t kMostHeaderBytes = 256 << 20;  // 262,144 tokens take 20 MB; in memory it grows up to eightfold
constexpr std::string_view kPrivatePrefix = "emelex.";
constexpr int64_t kLeastAlignment = 8;       // the format's own: so that no number lies across its natural border
constexpr int64_t kMostAlignment = 1 << 20;  // nobody aligns to more than a large page's part

struct TensorInfo {
  std::string name;
  TensorType type = TensorType::f32;
  std::vector<int64_t> shape;  // outermost first
  uint64_t offset = 0;         // from the start of the data
  uint64_t size = 0;           // bytes
};

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, const std::filesystem::path& path)
      : bytes_(bytes), source_(path_text(path)), reader_(bytes, "gguf", source_), metadata_(source_) {}

  void read_header();
  void read_metadata();
  void read_tensor_infos();
  void check_data_ranges();
  GgufContent content(const std::shared_ptr<const void>& owner) &&;

 private:
  void read_version();
  uint64_t count(uint64_t most, std::string_view what);
  std::string string(uint64_t most, std::string_view what);
  bool boolean();
  void check_header_size(uint64_t more) const;
  Metadata::Value value(uint32_t type, std::string_view key);
  Metadata::Value array(std::string_view key);
  template <class Wide, class T>
  Metadata::Value numbers(uint64_t n);
  Metadata::Value strings(uint64_t n);
  Metadata::Value booleans(uint64_t n);
  uint64_t alignment() const;
  TensorInfo tensor_info();
  std::vector<int64_t> shape(const std::string& name);
  uint64_t tensor_bytes(const TensorInfo& tensor) const;
  void check_overlaps() const;
  [[noreturn]] void fail(ErrorCode code, std::string_view expected, std::string_view got) const;

  std::span<const std::byte> bytes_;
  std::string source_;
  ByteReader reader_;
  Metadata metadata_;
  uint64_t n_tensors_ = 0;
  uint64_t n_keys_ = 0;
  uint32_t element_type_ = 0;        // of the value that is being read
  std::vector<TensorInfo> tensors_;  // in the file's order
  uint64_t data_start_ = 0;
};

// Without an offset, for what is wrong as a whole.
void GgufReader::fail(ErrorCode code, std::string_view expected, std::string_view got) const {
  throw Error(code, str_cat("[gguf] expected ", expected, ", got ", got, " in ", source_));
}

void GgufReader::read_header() {
  const std::string_view magic = reader_.text(kGgufMagic.size(), "the magic number");
  if (magic != kGgufMagic) fail(ErrorCode::corrupt_file, "'GGUF' at the start", quote_bytes(magic));
  read_version();
  n_tensors_ = count(kMostTensors, "tensors");
  n_keys_ = count(kMostKeys, "metadata keys");
}

void GgufReader::read_version() {
  const auto version = reader_.read<uint32_t>("the version");
  if (version == 2 || version == 3) return;
  // The versions that there are, read from the wrong end.
  if (version != 0 && (version & 0xFFFFU) == 0) {
    fail(ErrorCode::unsupported, "a little-endian file", "a big-endian one (GGUF comes in both; convert it)");
  }
  fail(ErrorCode::unsupported, "GGUF version 2 or 3", str_cat("version ", version));
}

uint64_t GgufReader::count(uint64_t most, std::string_view what) {
  const auto n = reader_.read<uint64_t>(str_cat("the number of ", what));
  if (n > most)
    reader_.fail(str_cat("at most ", most, " ", what), n > INT64_MAX ? "a negative or huge number" : str_cat(n));
  return n;
}

// Called before memory is taken for `more` bytes of the file.
void GgufReader::check_header_size(uint64_t more) const {
  const std::optional<uint64_t> total = checked_add<uint64_t>(reader_.offset(), more);
  if (!total || *total > kMostHeaderBytes) {
    reader_.fail(str_cat("metadata of at most ", kMostHeaderBytes, " bytes"), "more");
  }
}

std::string GgufReader::string(uint64_t most, std::string_view what) {
  const auto length = reader_.read<uint64_t>("the length of a string");
  if (length > most) reader_.fail(str_cat(what, " of at most ", most, " bytes"), str_cat("a length of ", length));
  check_header_size(length);
  return std::string(reader_.text(length, what));
}

bool GgufReader::boolean() {
  const auto byte = reader_.read<uint8_t>("a boolean");
  if (byte > 1) reader_.fail("a boolean of 0 or 1", str_cat(static_cast<int>(byte)));
  return byte == 1;
}

void GgufReader::read_metadata() {
  for (uint64_t i = 0; i < n_keys_; ++i) {
    std::string key = string(kMostKeyBytes, "a metadata key");
    // Keys that emelex adds for itself when it reads other formats. From a file they would be believed unchecked.
    if (key.starts_with(kPrivatePrefix)) {
      fail(ErrorCode::unsupported, str_cat("no key that begins with ", kPrivatePrefix), quote_bytes(key));
    }
    const auto type = reader_.read<uint32_t>("the type of a metadata value");
    element_type_ = type;  // unless it is an array
    Metadata::Value read = value(type, key);
    metadata_.add(std::move(key), std::move(read), gguf_number_bytes(element_type_));
  }
}

Metadata::Value GgufReader::value(uint32_t type, std::string_view key) {
  switch (static_cast<GgufType>(type)) {
    case GgufType::uint8:
      return uint64_t{reader_.read<uint8_t>("a metadata value")};
    case GgufType::int8:
      return int64_t{reader_.read<int8_t>("a metadata value")};
    case GgufType::uint16:
      return uint64_t{reader_.read<uint16_t>("a metadata value")};
    case GgufType::int16:
      return int64_t{reader_.read<int16_t>("a metadata value")};
    case GgufType::uint32:
      return uint64_t{reader_.read<uint32_t>("a metadata value")};
    case GgufType::int32:
      return int64_t{reader_.read<int32_t>("a metadata value")};
    case GgufType::uint64:
      return reader_.read<uint64_t>("a metadata value");
    case GgufType::int64:
      return reader_.read<int64_t>("a metadata value");
    case GgufType::float32:
      return double{reader_.read<float>("a metadata value")};
    case GgufType::float64:
      return reader_.read<double>("a metadata value");
    case GgufType::boolean:
      return boolean();
    case GgufType::string:
      return string(kMostStringBytes, "a string");
    case GgufType::array:
      return array(key);
  }
  reader_.fail(str_cat("a value type from 0 to 12 for ", quote_bytes(key)), str_cat("type ", type));
}

Metadata::Value GgufReader::array(std::string_view key) {
  const auto type = reader_.read<uint32_t>("the type of an array");
  element_type_ = type;
  const uint64_t n = count(kMostArrayLength, "values in an array");
  switch (static_cast<GgufType>(type)) {
    case GgufType::uint8:
      return numbers<uint64_t, uint8_t>(n);
    case GgufType::int8:
      return numbers<int64_t, int8_t>(n);
    case GgufType::uint16:
      return numbers<uint64_t, uint16_t>(n);
    case GgufType::int16:
      return numbers<int64_t, int16_t>(n);
    case GgufType::uint32:
      return numbers<uint64_t, uint32_t>(n);
    case GgufType::int32:
      return numbers<int64_t, int32_t>(n);
    case GgufType::uint64:
      return numbers<uint64_t, uint64_t>(n);
    case GgufType::int64:
      return numbers<int64_t, int64_t>(n);
    case GgufType::float32:
      return numbers<double, float>(n);
    case GgufType::float64:
      return numbers<double, double>(n);
    case GgufType::boolean:
      return booleans(n);
    case GgufType::string:
      return strings(n);
    case GgufType::array:
      break;  // the format allows it, no model uses it, and depth is what an attacker would use
  }
  const std::string expected = str_cat("an array of numbers, booleans or strings for ", quote_bytes(key));
  reader_.fail(expected,
               type == static_cast<uint32_t>(GgufType::array) ? "an array of arrays" : str_cat("type ", type));
}

template <class Wide, class T>
Metadata::Value GgufReader::numbers(uint64_t n) {
  reader_.require(n, sizeof(T), "an array");
  check_header_size(n * sizeof(T));
  std::vector<Wide> result;
  result.reserve(static_cast<size_t>(n));
  for (uint64_t i = 0; i < n; ++i) result.push_back(reader_.read<T>("a number"));
  return result;
}

Metadata::Value GgufReader::booleans(uint64_t n) {
  reader_.require(n, 1, "an array of booleans");
  check_header_size(n);
  std::vector<bool> result;
  result.reserve(static_cast<size_t>(n));
  for (uint64_t i = 0; i < n; ++i) result.push_back(boolean());
  return result;
}

Metadata::Value GgufReader::strings(uint64_t n) {
  constexpr uint64_t kLeastBytes = sizeof(uint64_t);  // of an empty string: its length
  reader_.require(n, kLeastBytes, "an array of strings");
  check_header_size(n * kLeastBytes);
  std::vector<std::string> result;
  result.reserve(static_cast<size_t>(n));
  for (uint64_t i = 0; i < n; ++i) result.push_back(string(kMostStringBytes, "a string of an array"));
  return result;
}

uint64_t GgufReader::alignment() const {
  if (!metadata_.contains(kGgufAlignmentKey)) return kGgufDefaultAlignment;
  const int64_t value = metadata_.require_integer(kGgufAlignmentKey, kLeastAlignment, kMostAlignment);
  if (!std::has_single_bit(static_cast<uint64_t>(value))) {
    fail(ErrorCode::corrupt_file, str_cat(kGgufAlignmentKey, " to be a power of two"), str_cat(value));
  }
  return static_cast<uint64_t>(value);
}

void GgufReader::read_tensor_infos() {
  // Name length, number of dimensions, one dimension, type, offset.
  constexpr uint64_t kLeastBytes = 8 + 4 + 8 + 4 + 8;
  reader_.require(n_tensors_, kLeastBytes, "the list of tensors");
  tensors_.reserve(static_cast<size_t>(n_tensors_));
  for (uint64_t i = 0; i < n_tensors_; ++i) tensors_.push_back(tensor_info());
}

TensorInfo GgufReader::tensor_info() {
  TensorInfo tensor;
  tensor.name = string(kMostNameBytes, "a tensor's name");
  tensor.shape = shape(tensor.name);
  const auto number = reader_.read<uint32_t>("a tensor's type");
  const std::optional<TensorType> type = tensor_type_of_gguf(number);
  if (!type) {
    fail(ErrorCode::unsupported, str_cat("tensors of type ", gguf_tensor_types_known()),
         str_cat(gguf_tensor_type_text(number), " for ", quote_bytes(tensor.name)));
  }
  tensor.type = *type;
  tensor.offset = reader_.read<uint64_t>("a tensor's offset");
  tensor.size = tensor_bytes(tensor);
  return tensor;
}

// The file has the innermost dimension first.
std::vector<int64_t> GgufReader::shape(const std::string& name) {
  const auto n = reader_.read<uint32_t>("a tensor's number of dimensions");
  if (n < 1 || n > kGgufMostDimensions) {
    reader_.fail(str_cat("1 to ", kGgufMostDimensions, " dimensions for ", quote_bytes(name)), str_cat(n));
  }
  std::vector<int64_t> dimensions(n);
  for (int64_t& dimension : dimensions) {
    const auto value = reader_.read<uint64_t>("a tensor's dimension");
    if (value == 0 || !std::in_range<int64_t>(value)) {
      reader_.fail(str_cat("dimensions from 1 to 2^63 - 1 for ", quote_bytes(name)), str_cat(value));
    }
    dimension = static_cast<int64_t>(value);
  }
  std::reverse(dimensions.begin(), dimensions.end());
  return dimensions;
}

uint64_t GgufReader::tensor_bytes(const TensorInfo& tensor) const {
  const TensorTypeInfo& layout = info(tensor.type);
  if (tensor.shape.back() % layout.block_size != 0) {
    fail(ErrorCode::corrupt_file,
         str_cat(layout.name, " rows of a multiple of ", layout.block_size, " values for ", quote_bytes(tensor.name)),
         str_cat("rows of ", tensor.shape.back()));
  }
  // Values and bytes must both be countable: other code multiplies the dimensions without checking again.
  std::optional<int64_t> values = 1;
  for (const int64_t dimension : tensor.shape) {
    if (values) values = checked_mul(*values, dimension);
  }
  std::optional<int64_t> bytes;
  if (values) bytes = checked_mul<int64_t>(*values / layout.block_size, layout.block_bytes);
  if (!bytes) {
    fail(ErrorCode::corrupt_file, str_cat("a size below 2^63 for ", quote_bytes(tensor.name)),
         "dimensions that overflow");
  }
  return static_cast<uint64_t>(*bytes);
}

void GgufReader::check_data_ranges() {
  const uint64_t align = alignment();
  const std::optional<uint64_t> start = checked_align_up<uint64_t>(reader_.offset(), align);
  if (!start || (*start > bytes_.size() && !tensors_.empty())) {
    reader_.fail("tensor data after the list of tensors", "the end of the file");
  }
  data_start_ = *start;
  const uint64_t available = tensors_.empty() ? 0 : bytes_.size() - data_start_;
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.offset % align != 0) {
      fail(ErrorCode::corrupt_file, str_cat("the offset of ", quote_bytes(tensor.name), " to be a multiple of ", align),
           str_cat(tensor.offset));
    }
    const std::optional<uint64_t> end = checked_add(tensor.offset, tensor.size);
    if (!end || *end > available) {
      fail(ErrorCode::corrupt_file, str_cat("the data of ", quote_bytes(tensor.name), " within ", available, " bytes"),
           str_cat(tensor.size, " bytes from ", tensor.offset));
    }
  }
  check_overlaps();
}

// After the ranges: no sum can overflow here.
void GgufReader::check_overlaps() const {
  std::vector<const TensorInfo*> by_offset;
  by_offset.reserve(tensors_.size());
  for (const TensorInfo& tensor : tensors_) by_offset.push_back(&tensor);
  std::sort(by_offset.begin(), by_offset.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const TensorInfo& before = *by_offset[i - 1];
    if (before.offset + before.size > by_offset[i]->offset) {
      fail(ErrorCode::corrupt_file, "each tensor to have its own bytes",
           str_cat(quote_bytes(before.name), " and ", quote_bytes(by_offset[i]->name), " that overlap"));
    }
  }
}

GgufContent GgufReader::content(const std::shared_ptr<const void>& owner) && {
  std::map<std::string, Tensor, std::less<>> result;
  for (TensorInfo& from : tensors_) {
    Tensor tensor{from.name, from.type, std::move(from.shape), {}, owner};
    tensor.data = bytes_.subspan(static_cast<size_t>(data_start_ + from.offset), static_cast<size_t>(from.size));
    if (!result.try_emplace(from.name, std::move(tensor)).second) {
      fail(ErrorCode::corrupt_file, "each tensor once", str_cat(quote_bytes(from.name), " twice"));
    }
  }
  return {std::move(metadata_), std::move(result)};
}

}  // namespace

GgufContent read_gguf_content(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner,
                              const std::filesystem::path& path) {
  GgufReader reader(bytes, path);
  reader.read_header();
  reader.read_metadata();
  reader.read_tensor_infos();
  reader.check_data_ranges();
  return std::move(reader).content(owner);
}

std::shared_ptr<const Weights> read_gguf(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner,
                                         const std::filesystem::path& path) {
  GgufContent content = read_gguf_content(bytes, owner, path);
  const int64_t parts = content.metadata.integer(kGgufSplitCountKey).value_or(0);
  if (parts > 1) {
    throw Error(ErrorCode::unsupported, str_cat("[gguf] expected a model in one file, got one of ", parts, " parts in ",
                                                content.metadata.source()));
  }
  return std::make_shared<const Weights>(path, std::move(content.metadata), std::move(content.tensors));
}

}  // namespace emelex
