#include "weights/safetensors/safetensors_header.h"

#include <algorithm>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/json_text.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

// The format's own limit is 100 MB. Tensors have about nine values each, and the largest models 100,000 tensors in all
// their files; three levels are the file, a tensor, and its shape.
constexpr JsonLimits kHeaderLimits{100'000'000, 3, 4'000'000};
constexpr size_t kMostNameBytes = 512;  // names are paths of modules, below 150 bytes
constexpr size_t kMostDimensions = 8;   // models have up to five
constexpr std::string_view kMetadataKey = "__metadata__";

struct Dtype {
  std::string_view name;
  uint64_t bits;
};

constexpr Dtype kDtypes[] = {
    {"F64", 64}, {"F32", 32}, {"F16", 16},    {"BF16", 16},   {"F8_E4M3", 8},     {"F8_E5M2", 8},
    {"I64", 64}, {"I32", 32}, {"I16", 16},    {"I8", 8},      {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"U64", 64}, {"U32", 32}, {"U16", 16},    {"U8", 8},      {"BOOL", 8},        {"F8_E8M0", 8},
    {"C64", 64}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6},
};

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> bytes, const std::filesystem::path& path)
      : source_(path_text(path)), reader_(bytes, "safetensors", source_) {}

  std::vector<SafeTensorsEntry> read();

 private:
  struct Range {
    uint64_t begin;
    uint64_t end;
    SafeTensorsEntry entry;
  };

  Json header();
  Range range(const std::string& name, const Json& from) const;
  std::vector<int64_t> shape(const std::string& name, const Json& from) const;
  void check_size(const Range& range) const;
  void check_metadata(const Json& metadata) const;
  [[noreturn]] void fail(std::string_view expected, std::string_view got) const;

  std::string source_;
  ByteReader reader_;
};

void HeaderReader::fail(std::string_view expected, std::string_view got) const {
  throw Error(ErrorCode::corrupt_file, str_cat("[safetensors] expected ", expected, ", got ", got, " in ", source_));
}

Json HeaderReader::header() {
  const auto n = reader_.read<uint64_t>("the length of the header");
  if (n > kHeaderLimits.bytes) {
    fail(str_cat("a header of at most ", kHeaderLimits.bytes, " bytes"), str_cat("a length of ", n));
  }
  const std::string_view text = reader_.text(n, "the header");
  if (text.substr(0, 1) != "{") fail("a header that starts with '{'", quote_bytes(text.substr(0, 8)));
  return parse_json(text, kHeaderLimits, "safetensors", source_);
}

std::vector<SafeTensorsEntry> HeaderReader::read() {
  const Json root = header();
  std::vector<Range> ranges;
  ranges.reserve(root.size());
  for (const auto& [name, value] : root.items()) {
    if (name == kMetadataKey) {
      check_metadata(value);
    } else {
      ranges.push_back(range(name, value));
    }
  }
  // Tensors without values may share their place with another's begin.
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  const uint64_t size = reader_.remaining();
  const std::span<const std::byte> data = reader_.bytes(size, "the data");
  std::vector<SafeTensorsEntry> entries;
  entries.reserve(ranges.size());
  uint64_t at = 0;
  for (Range& next : ranges) {
    if (next.begin != at) {
      fail(str_cat("the data of ", quote_bytes(next.entry.name), " from ", at, ", where the tensor before it ends"),
           str_cat(next.begin));
    }
    if (next.end > size) {
      fail(str_cat("the data of ", quote_bytes(next.entry.name), " within ", size,
                   " bytes (was the file downloaded to its end?)"),
           str_cat("bytes ", next.begin, " to ", next.end));
    }
    next.entry.data = data.subspan(static_cast<size_t>(at), static_cast<size_t>(next.end - at));
    at = next.end;
    entries.push_back(std::move(next.entry));
  }
  if (at != size) fail(str_cat("the last tensor's data to end with the file, at ", size), str_cat(at));
  return entries;
}

HeaderReader::Range HeaderReader::range(const std::string& name, const Json& from) const {
  if (name.size() > kMostNameBytes) fail(str_cat("names of at most ", kMostNameBytes, " bytes"), quote_bytes(name));
  if (!from.is_object()) fail(str_cat(quote_bytes(name), " to be an object"), from.type_name());
  const auto dtype = from.find("dtype");
  const auto offsets = from.find("data_offsets");
  if (dtype == from.end() || !dtype->is_string() || dtype->get_ref<const std::string&>().size() > 32) {
    fail(str_cat("a dtype for ", quote_bytes(name)), "none");
  }
  const auto is_offset = [](const Json& x) { return x.is_number_unsigned(); };
  if (offsets == from.end() || !offsets->is_array() || offsets->size() != 2 ||
      !std::all_of(offsets->begin(), offsets->end(), is_offset)) {
    fail(str_cat("data_offsets of two integers for ", quote_bytes(name)), "none");
  }
  Range result{(*offsets)[0], (*offsets)[1], {name, *dtype, shape(name, from), {}}};
  if (result.begin > result.end) {
    fail(str_cat("the data of ", quote_bytes(name), " to begin before it ends"),
         str_cat("bytes ", result.begin, " to ", result.end));
  }
  check_size(result);
  return result;
}

std::vector<int64_t> HeaderReader::shape(const std::string& name, const Json& from) const {
  const auto at = from.find("shape");
  if (at == from.end() || !at->is_array()) fail(str_cat("a shape for ", quote_bytes(name)), "none");
  if (at->size() > kMostDimensions) {
    fail(str_cat("at most ", kMostDimensions, " dimensions for ", quote_bytes(name)), str_cat(at->size()));
  }
  std::vector<int64_t> result;
  for (const Json& dimension : *at) {
    if (!dimension.is_number_unsigned() || !std::in_range<int64_t>(dimension.get<uint64_t>())) {
      fail(str_cat("dimensions from 0 to 2^63 - 1 for ", quote_bytes(name)), quote_bytes(json_text(dimension)));
    }
    result.push_back(dimension.get<int64_t>());
  }
  return result;
}

void HeaderReader::check_size(const Range& range) const {
  const std::string name = quote_bytes(range.entry.name);
  // Values and bits must both be countable: other code multiplies the dimensions without checking again.
  std::optional<int64_t> values = 1;
  for (const int64_t dimension : range.entry.shape) {
    if (values) values = checked_mul(*values, dimension);
  }
  if (!values) fail(str_cat("a size below 2^63 for ", name), "dimensions that overflow");
  const auto* dtype = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                   [&](const Dtype& known) { return known.name == range.entry.dtype; });
  if (dtype == std::end(kDtypes)) return;
  const std::optional<uint64_t> bits = checked_mul(static_cast<uint64_t>(*values), dtype->bits);
  if (!bits || *bits % 8 != 0) fail(str_cat("a size in whole bytes, below 2^61, for ", name), "another");
  if (range.end - range.begin != *bits / 8) {
    fail(str_cat(*bits / 8, " bytes of ", dtype->name, " for ", name), str_cat(range.end - range.begin));
  }
}

void HeaderReader::check_metadata(const Json& metadata) const {
  const bool good = metadata.is_object() &&
                    std::all_of(metadata.begin(), metadata.end(), [](const Json& value) { return value.is_string(); });
  if (!good) fail("__metadata__ to hold strings", "something else");
}

}  // namespace

std::vector<SafeTensorsEntry> read_safetensors_header(std::span<const std::byte> bytes,
                                                      const std::filesystem::path& path) {
  return HeaderReader(bytes, path).read();
}

std::optional<TensorType> tensor_type_of_dtype(std::string_view dtype) {
  if (dtype == "F32") return TensorType::f32;
  if (dtype == "F16") return TensorType::f16;
  if (dtype == "BF16") return TensorType::bf16;
  return std::nullopt;
}

}  // namespace emelex
