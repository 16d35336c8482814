#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

using Json = nlohmann::json;

// How large a JSON text may be. Each use names its numbers and why.
struct JsonLimits {
  size_t bytes;            // of text
  size_t depth;            // of arrays and objects in each other
  size_t values;           // keys do not count; a value takes at most about 100 bytes of memory beside its text
  bool as_python = false;  // as its json module reads: of a key that is there twice the last counts
};

// The same text with NaN, Infinity and -Infinity, which are no JSON but which Python's json module writes, as strings
// of these names.
std::string quoted_non_finite(std::string_view text);

// Builds the document of a JSON text itself, so that limits hold while it grows and a repeated key is seen. What
// derives from it may take parts of a large text for itself, before a document of them would be made.
class JsonBuilder : public nlohmann::json_sax<Json> {
 public:
  JsonBuilder(const JsonLimits& limits, std::string_view component, std::string_view source)
      : limits_(limits), component_(component), source_(source) {}

  // Reads a whole text. Throws as parse_json does.
  Json parse(std::string_view text);

  bool null() override { return add(nullptr); }
  bool boolean(bool x) override { return add(x); }
  bool number_integer(int64_t x) override { return add(x); }
  bool number_unsigned(uint64_t x) override { return add(x); }
  bool number_float(double x, const std::string& /*text*/) override { return add(x); }
  bool string(std::string& x) override { return add(std::move(x)); }
  bool binary(binary_t& /*x*/) override { return false; }  // not in JSON texts
  bool start_object(size_t /*n*/) override { return open(Json::object()); }
  bool start_array(size_t /*n*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override;
  bool parse_error(size_t position, const std::string& last, const nlohmann::detail::exception& error) override;

 protected:
  [[noreturn]] void fail(std::string_view expected, std::string_view got) const;

  size_t depth() const { return open_.size(); }  // of arrays and objects that have begun
  void count_value();                            // one more; throws beyond the limit

 private:
  bool add(Json value);
  Json* place(Json value);
  bool open(Json empty);
  bool close();

  JsonLimits limits_;
  std::string_view component_;
  std::string_view source_;
  Json root_;
  std::vector<Json*> open_;  // arrays and objects that have begun, outermost first
  Json* member_ = nullptr;   // the value of the key that was read last
  size_t n_values_ = 0;
};

// A JSON text from a file that may hold anything (RFC 8259). Throws Error(corrupt_file) as "[component] … in SOURCE"
// when it is malformed, beyond the limits, or has a key twice in one object.
Json parse_json(std::string_view text, const JsonLimits& limits, std::string_view component, std::string_view source);

}  // namespace emelex
