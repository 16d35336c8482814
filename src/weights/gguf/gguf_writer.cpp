#include "weights/gguf/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <fstream>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "quant/quantize.h"
#include "weights/gguf/gguf_format.h"

namespace emelex {
namespace {

using Bytes = std::vector<std::byte>;

template <std::integral T>
void put(Bytes& out, T value) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<std::byte>((bits >> (8 * i)) & 0xFFU));
}

void put(Bytes& out, bool value) { out.push_back(static_cast<std::byte>(value)); }

void put(Bytes& out, float value) { put(out, std::bit_cast<uint32_t>(value)); }
void put(Bytes& out, double value) { put(out, std::bit_cast<uint64_t>(value)); }
void put(Bytes& out, GgufType type) { put(out, static_cast<uint32_t>(type)); }

void put(Bytes& out, const std::string& text) {
  put(out, uint64_t{text.size()});
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
constexpr bool is_vector = false;
template <class T>
constexpr bool is_vector<std::vector<T>> = true;

template <class T>
constexpr GgufType type_of() {
  if constexpr (std::same_as<T, bool>) return GgufType::boolean;
  if constexpr (std::same_as<T, uint8_t>) return GgufType::uint8;
  if constexpr (std::same_as<T, int8_t>) return GgufType::int8;
  if constexpr (std::same_as<T, uint16_t>) return GgufType::uint16;
  if constexpr (std::same_as<T, int16_t>) return GgufType::int16;
  if constexpr (std::same_as<T, uint32_t>) return GgufType::uint32;
  if constexpr (std::same_as<T, int32_t>) return GgufType::int32;
  if constexpr (std::same_as<T, uint64_t>) return GgufType::uint64;
  if constexpr (std::same_as<T, int64_t>) return GgufType::int64;
  if constexpr (std::same_as<T, float>) return GgufType::float32;
  if constexpr (std::same_as<T, double>) return GgufType::float64;
  if constexpr (std::same_as<T, std::string>) return GgufType::string;
  if constexpr (is_vector<T>) return GgufType::array;
}

template <class T>
void put(Bytes& out, const std::vector<T>& array) {
  put(out, type_of<T>());
  put(out, uint64_t{array.size()});
  for (const auto& x : array) put(out, static_cast<const T&>(x));
}

template <class T>
void put_entry(Bytes& out, std::string_view key, const T& value) {
  put(out, std::string(key));
  put(out, type_of<T>());
  put(out, value);
}

// The same numbers in another type that holds them all.
template <class To, class From>
std::vector<To> cast(const std::vector<From>& from) {
  std::vector<To> result;
  result.reserve(from.size());
  for (const From x : from) result.push_back(static_cast<To>(x));
  return result;
}

template <class Narrow, class Wide>
bool fits(Wide x) {
  if constexpr (std::integral<Wide>) {
    return std::in_range<Narrow>(x);
  } else {
    // A number beyond float's range must not be cast at all.
    return x != x || (x >= std::numeric_limits<Narrow>::lowest() && x <= std::numeric_limits<Narrow>::max() &&
                      static_cast<Wide>(static_cast<Narrow>(x)) == x);
  }
}

template <class Narrow, class Wide>
void add_narrow(GgufWriter& writer, std::string_view key, Wide x) {
  if (fits<Narrow>(x)) {
    writer.add(key, static_cast<Narrow>(x));
  } else {
    writer.add(key, x);
  }
}

template <class Narrow, class Wide>
void add_narrow(GgufWriter& writer, std::string_view key, const std::vector<Wide>& array) {
  if (std::all_of(array.begin(), array.end(), [](Wide x) { return fits<Narrow>(x); })) {
    writer.add(key, cast<Narrow>(array));
  } else {
    writer.add(key, array);
  }
}

// A number, or an array of them, in exactly that type.
template <class To>
void add_as(GgufWriter& writer, std::string_view key, const auto& x) {
  if constexpr (is_vector<std::decay_t<decltype(x)>>) {
    writer.add(key, cast<To>(x));
  } else {
    writer.add(key, static_cast<To>(x));
  }
}

void add_with_width(GgufWriter& writer, std::string_view key, const Metadata::Value& value, int width) {
  std::visit(
      [&]<class T>(const T& x) {
        if constexpr (std::same_as<T, uint64_t> || std::same_as<T, std::vector<uint64_t>>) {
          if (width == 1) return add_as<uint8_t>(writer, key, x);
          if (width == 2) return add_as<uint16_t>(writer, key, x);
          return width == 4 ? add_as<uint32_t>(writer, key, x) : add_as<uint64_t>(writer, key, x);
        } else if constexpr (std::same_as<T, int64_t> || std::same_as<T, std::vector<int64_t>>) {
          if (width == 1) return add_as<int8_t>(writer, key, x);
          if (width == 2) return add_as<int16_t>(writer, key, x);
          return width == 4 ? add_as<int32_t>(writer, key, x) : add_as<int64_t>(writer, key, x);
        } else if constexpr (std::same_as<T, double> || std::same_as<T, std::vector<double>>) {
          return width == 4 ? add_as<float>(writer, key, x) : add_as<double>(writer, key, x);
        } else {
          writer.add(key, x);
        }
      },
      value);
}

int64_t count_values(std::string_view name, const std::vector<int64_t>& shape) {
  std::optional<int64_t> n = 1;
  for (const int64_t dimension : shape) {
    n = n && dimension > 0 ? checked_mul(*n, dimension) : std::nullopt;
  }
  if (!n || shape.empty() || shape.size() > kGgufMostDimensions) {
    throw Error(ErrorCode::invalid_argument, str_cat("[gguf] expected 1 to 4 dimensions above 0 for ", name, ", got ",
                                                     shape.size(), " or an impossible size"));
  }
  return *n;
}

}  // namespace

GgufWriter::GgufWriter(uint32_t version, uint32_t alignment) : version_(version), alignment_(alignment) {
  if (version < 2 || version > 3 || alignment < 8 || !std::has_single_bit(alignment)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[gguf] expected version 2 or 3 and an alignment that is a power of two from 8, got version ",
                        version, " and alignment ", alignment));
  }
  if (alignment == kGgufDefaultAlignment) return;
  keys_.emplace(kGgufAlignmentKey);
  put_entry(metadata_, kGgufAlignmentKey, alignment);
}

template <class T>
void GgufWriter::add(std::string_view key, const T& value) {
  if (key == kGgufAlignmentKey) {
    throw Error(ErrorCode::invalid_argument, str_cat("[gguf] expected the alignment in the constructor, got ", key));
  }
  if (!keys_.emplace(key).second) {
    throw Error(ErrorCode::invalid_argument, str_cat("[gguf] expected each key once, got ", key, " twice"));
  }
  put_entry(metadata_, key, value);
}

template void GgufWriter::add(std::string_view, const bool&);
template void GgufWriter::add(std::string_view, const uint8_t&);
template void GgufWriter::add(std::string_view, const int8_t&);
template void GgufWriter::add(std::string_view, const uint16_t&);
template void GgufWriter::add(std::string_view, const int16_t&);
template void GgufWriter::add(std::string_view, const uint32_t&);
template void GgufWriter::add(std::string_view, const int32_t&);
template void GgufWriter::add(std::string_view, const uint64_t&);
template void GgufWriter::add(std::string_view, const int64_t&);
template void GgufWriter::add(std::string_view, const float&);
template void GgufWriter::add(std::string_view, const double&);
template void GgufWriter::add(std::string_view, const std::string&);
template void GgufWriter::add(std::string_view, const std::vector<bool>&);
template void GgufWriter::add(std::string_view, const std::vector<uint8_t>&);
template void GgufWriter::add(std::string_view, const std::vector<int8_t>&);
template void GgufWriter::add(std::string_view, const std::vector<uint16_t>&);
template void GgufWriter::add(std::string_view, const std::vector<int16_t>&);
template void GgufWriter::add(std::string_view, const std::vector<uint32_t>&);
template void GgufWriter::add(std::string_view, const std::vector<int32_t>&);
template void GgufWriter::add(std::string_view, const std::vector<uint64_t>&);
template void GgufWriter::add(std::string_view, const std::vector<int64_t>&);
template void GgufWriter::add(std::string_view, const std::vector<float>&);
template void GgufWriter::add(std::string_view, const std::vector<double>&);
template void GgufWriter::add(std::string_view, const std::vector<std::string>&);

void GgufWriter::add_value(std::string_view key, const Metadata::Value& value, int width) {
  if (width != 0) return add_with_width(*this, key, value, width);
  std::visit(
      [&]<class T>(const T& x) {
        if constexpr (std::same_as<T, uint64_t> || std::same_as<T, std::vector<uint64_t>>) {
          add_narrow<uint32_t>(*this, key, x);
        } else if constexpr (std::same_as<T, int64_t> || std::same_as<T, std::vector<int64_t>>) {
          add_narrow<int32_t>(*this, key, x);
        } else if constexpr (std::same_as<T, double> || std::same_as<T, std::vector<double>>) {
          add_narrow<float>(*this, key, x);
        } else {
          add(key, x);
        }
      },
      value);
}

void GgufWriter::add_tensor(std::string_view name, TensorType type, const std::vector<int64_t>& shape,
                            std::vector<std::byte> data) {
  declare_tensor(name, type, shape);
  TensorEntry& tensor = tensors_.back();
  if (data.size() != tensor.size) {
    const size_t expected = tensor.size;
    tensors_.pop_back();
    throw Error(ErrorCode::invalid_argument,
                str_cat("[gguf] expected ", expected, " bytes for ", name, ", got ", data.size()));
  }
  tensor.data = std::move(data);
}

void GgufWriter::declare_tensor(std::string_view name, TensorType type, const std::vector<int64_t>& shape) {
  const int64_t n_values = count_values(name, shape);
  const size_t size = static_cast<size_t>(n_values / shape.back()) * row_bytes(type, shape.back());
  const auto same_name = [&](const TensorEntry& tensor) { return tensor.name == name; };
  if (std::any_of(tensors_.begin(), tensors_.end(), same_name)) {
    throw Error(ErrorCode::invalid_argument, str_cat("[gguf] expected each tensor once, got ", name, " twice"));
  }
  tensors_.push_back({std::string(name), type, shape, size, {}});
}

void GgufWriter::add_tensor(std::string_view name, TensorType type, const std::vector<int64_t>& shape,
                            std::span<const float> values) {
  add_tensor(name, type, shape, quantize(type, values));
}

size_t GgufWriter::padding(size_t bytes) const { return checked_align_up<size_t>(bytes, alignment_).value() - bytes; }

std::vector<std::byte> GgufWriter::header() const {
  Bytes out;
  for (const char c : kGgufMagic) out.push_back(static_cast<std::byte>(c));
  put(out, version_);
  put(out, uint64_t{tensors_.size()});
  put(out, uint64_t{keys_.size()});
  out.insert(out.end(), metadata_.begin(), metadata_.end());
  uint64_t offset = 0;
  for (const TensorEntry& tensor : tensors_) {
    put(out, tensor.name);
    put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (auto dimension = tensor.shape.rbegin(); dimension != tensor.shape.rend(); ++dimension) put(out, *dimension);
    put(out, gguf_number_of(tensor.type));
    put(out, offset);
    offset += tensor.size + padding(tensor.size);
  }
  out.resize(out.size() + padding(out.size()));
  return out;
}

std::vector<std::byte> GgufWriter::bytes() const {
  Bytes out = header();
  for (const TensorEntry& tensor : tensors_) {
    out.insert(out.end(), tensor.data.begin(), tensor.data.end());
    out.resize(out.size() + padding(tensor.size));
  }
  return out;
}

void GgufWriter::write(const std::filesystem::path& path) const {
  const Bytes content = bytes();
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) throw Error(ErrorCode::io, str_cat("[gguf] expected a file that can be written, got ", path_text(path)));
}

}  // namespace emelex
