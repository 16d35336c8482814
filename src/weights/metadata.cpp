#include "weights/metadata.h"

#include <iterator>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

std::string_view type_name(const Metadata::Value& value) {
  static constexpr std::string_view kNames[] = {"a boolean",
                                                "an integer",
                                                "an unsigned integer",
                                                "a number",
                                                "a string",
                                                "an array of booleans",
                                                "an array of integers",
                                                "an array of unsigned integers",
                                                "an array of numbers",
                                                "an array of strings"};
  static_assert(std::size(kNames) == std::variant_size_v<Metadata::Value>);
  return kNames[value.index()];
}

template <class Got>
[[noreturn]] void fail(const Metadata& metadata, std::string_view key, std::string_view expected, const Got& got) {
  throw Error(ErrorCode::corrupt_file, str_cat("[metadata] expected ", quote_bytes(key), " to be ", expected, ", got ",
                                               got, " in ", metadata.source()));
}

template <class T>
const T* find_as(const Metadata& metadata, std::string_view key, std::string_view expected) {
  const Metadata::Value* value = metadata.find(key);
  if (value == nullptr) return nullptr;
  const T* typed = std::get_if<T>(value);
  if (typed == nullptr) fail(metadata, key, expected, type_name(*value));
  return typed;
}

template <class T>
T required(const Metadata& metadata, std::string_view key, std::string_view expected, const std::optional<T>& value) {
  if (!value) fail(metadata, key, expected, "no such key");
  return *value;
}

// An array of numbers, each converted by `convert`.
template <class T, class Convert>
std::vector<T> converted(const auto& from, const Convert& convert) {
  std::vector<T> result;
  result.reserve(from.size());
  for (const auto x : from) result.push_back(convert(x));
  return result;
}

}  // namespace

void Metadata::add(std::string key, Value value, int width) {
  if (width != 0) widths_.emplace(key, width);
  const auto [at, added] = values_.emplace(std::move(key), std::move(value));
  if (!added) fail(*this, at->first, "there once", "it twice");
}

void Metadata::remove(std::string_view key) {
  const auto at = values_.find(key);
  if (at != values_.end()) values_.erase(at);
  const auto width = widths_.find(key);
  if (width != widths_.end()) widths_.erase(width);
}

int Metadata::width(std::string_view key) const {
  const auto at = widths_.find(key);
  return at == widths_.end() ? 0 : at->second;
}

bool Metadata::contains(std::string_view key) const { return find(key) != nullptr; }

const Metadata::Value* Metadata::find(std::string_view key) const {
  const auto at = values_.find(key);
  return at == values_.end() ? nullptr : &at->second;
}

std::optional<int64_t> Metadata::integer(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* x = std::get_if<int64_t>(value)) return *x;
  const auto* x = std::get_if<uint64_t>(value);
  if (x == nullptr) fail(*this, key, "an integer", type_name(*value));
  if (!std::in_range<int64_t>(*x)) fail(*this, key, "an integer below 2^63", *x);
  return static_cast<int64_t>(*x);
}

std::optional<double> Metadata::number(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* x = std::get_if<double>(value)) return *x;
  if (const auto* x = std::get_if<int64_t>(value)) return static_cast<double>(*x);
  if (const auto* x = std::get_if<uint64_t>(value)) return static_cast<double>(*x);
  fail(*this, key, "a number", type_name(*value));
}

std::optional<bool> Metadata::boolean(std::string_view key) const {
  const bool* value = find_as<bool>(*this, key, "a boolean");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string> Metadata::string(std::string_view key) const {
  const auto* value = find_as<std::string>(*this, key, "a string");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

const std::vector<std::string>* Metadata::strings(std::string_view key) const {
  return find_as<std::vector<std::string>>(*this, key, "an array of strings");
}

std::optional<std::vector<int64_t>> Metadata::integers(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* array = std::get_if<std::vector<int64_t>>(value)) return *array;
  const auto* array = std::get_if<std::vector<uint64_t>>(value);
  if (array == nullptr) fail(*this, key, "an array of integers", type_name(*value));
  return converted<int64_t>(*array, [&](uint64_t x) {
    if (!std::in_range<int64_t>(x)) fail(*this, key, "an array of integers below 2^63", x);
    return static_cast<int64_t>(x);
  });
}

std::optional<std::vector<double>> Metadata::numbers(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto to_double = [](auto x) { return static_cast<double>(x); };
  if (const auto* array = std::get_if<std::vector<double>>(value)) return *array;
  if (const auto* array = std::get_if<std::vector<int64_t>>(value)) return converted<double>(*array, to_double);
  if (const auto* array = std::get_if<std::vector<uint64_t>>(value)) return converted<double>(*array, to_double);
  fail(*this, key, "an array of numbers", type_name(*value));
}

int64_t Metadata::require_integer(std::string_view key, int64_t least, int64_t most) const {
  const int64_t value = required(*this, key, "an integer", integer(key));
  if (value < least || value > most) {
    fail(*this, key, least == most ? str_cat(least) : str_cat("from ", least, " to ", most), value);
  }
  return value;
}

double Metadata::require_number(std::string_view key) const { return required(*this, key, "a number", number(key)); }

std::string Metadata::require_string(std::string_view key) const {
  return required(*this, key, "a string", string(key));
}

}  // namespace emelex
