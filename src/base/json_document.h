#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A JSON document to be written, built of values, arrays and objects. What nlohmann's class instantiates for that takes
// a compiler two seconds in each file; here it is compiled once.

namespace emelex {

class JsonDocument {
 public:
  struct Member;

  JsonDocument(std::nullptr_t = nullptr);  // NOLINT(google-explicit-constructor)
  JsonDocument(bool value);                // NOLINT(google-explicit-constructor)
  JsonDocument(double value);              // NOLINT(google-explicit-constructor)
  JsonDocument(const char* text);          // NOLINT(google-explicit-constructor)
  JsonDocument(std::string_view text);     // NOLINT(google-explicit-constructor)
  JsonDocument(const std::string& text)    // NOLINT(google-explicit-constructor)
      : JsonDocument(std::string_view(text)) {}
  template <std::signed_integral T>
  JsonDocument(T value)  // NOLINT(google-explicit-constructor)
      : JsonDocument(static_cast<int64_t>(value), Number()) {}
  template <std::unsigned_integral T>
  JsonDocument(T value)  // NOLINT(google-explicit-constructor)
      : JsonDocument(static_cast<uint64_t>(value), Number()) {}
  template <class T>
  JsonDocument(const std::vector<T>& values)  // NOLINT(google-explicit-constructor)
      : JsonDocument(array()) {
    for (const T& value : values) push_back(value);
  }
  // null where there is none
  template <class T>
  JsonDocument(const std::optional<T>& value)  // NOLINT(google-explicit-constructor)
      : JsonDocument(value ? JsonDocument(*value) : JsonDocument(nullptr)) {}
  // An object. The members' values are moved out of the list.
  JsonDocument(std::initializer_list<Member> members);

  JsonDocument(const JsonDocument& other);
  JsonDocument(JsonDocument&& other) noexcept;
  JsonDocument& operator=(JsonDocument other) noexcept;
  ~JsonDocument();

  static JsonDocument array();   // without elements
  static JsonDocument object();  // without members

  void push_back(JsonDocument element);                // to an array
  void set(std::string_view key, JsonDocument value);  // of an object; a new key comes last

  // As printable_json_text (base/json_text.h) has it.
  std::string text(int indent = -1, bool ascii = false) const;

 private:
  struct Number {};
  JsonDocument(int64_t value, Number);
  JsonDocument(uint64_t value, Number);

  std::unique_ptr<nlohmann::ordered_json> json_;  // nullptr only after it was moved from
};

struct JsonDocument::Member {
  std::string_view key;
  mutable JsonDocument value;  // the elements of an initializer list are constant
};

}  // namespace emelex
