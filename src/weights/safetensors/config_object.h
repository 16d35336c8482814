#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emelex/error.h"

namespace emelex {

using Json = nlohmann::json;

// What numbers in a config.json may be, so that nothing overflows or grows before they are compared with the tensors.
constexpr int64_t kMostConfigInteger = int64_t{1} << 40;

// An object of config.json. A null is a missing value where transformers' classes allow it, and refused elsewhere, as
// by transformers. Views into the document. What is wrong is thrown as Error(corrupt_file), naming the key and
// `source`, the file.
class ConfigObject {
 public:
  // `prefix` is put before the keys in messages: "rope_scaling."
  // The names of keys that are asked for, with their prefixes, are added to `record` unless it is nullptr.
  ConfigObject(const Json& object, std::string prefix, std::string_view source,
               std::set<std::string, std::less<>>* record = nullptr)
      : object_(&object), prefix_(std::move(prefix)), source_(source), record_(record) {}

  const Json& json() const { return *object_; }
  bool contains(std::string_view key) const;     // null counts
  const Json* find(std::string_view key) const;  // null is nothing

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most = kMostConfigInteger) const;
  std::optional<double> positive(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> string(std::string_view key) const;
  std::optional<ConfigObject> object(std::string_view key) const;
  // An object that was made of this one's parts; messages call it `name`. It must outlive what is given back.
  ConfigObject inner(const Json& object, std::string_view name) const;
  // Which layers have something other than 0 in a list with one for each of `n`, or more.
  std::optional<std::vector<bool>> layer_flags(std::string_view key, int64_t n) const;

  int64_t require_integer(std::string_view key, int64_t least, int64_t most = kMostConfigInteger) const;
  double require_positive(std::string_view key) const;

  // Throws Error(unsupported) where a key is null.
  void refuse_null(std::string_view key) const;
  // Throws Error(unsupported) where a key is true that asks for something which is not computed.
  void refuse_true(std::string_view key) const;

  [[noreturn]] void fail(ErrorCode code, std::string_view key, std::string_view expected, std::string_view got) const;
  [[noreturn]] void fail(std::string_view key, std::string_view expected, const Json& got) const;

 private:
  template <class T>
  T required(std::string_view key, const std::optional<T>& value) const;

  void note(std::string_view key) const;
  const Json* find_value(std::string_view key) const;

  const Json* object_;
  std::string prefix_;
  std::string_view source_;
  std::set<std::string, std::less<>>* record_;
};

}  // namespace emelex
