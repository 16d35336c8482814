#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace emelex {

// A model file's key-value metadata, typed. Integers of any width are widened to 64 bits. Immutable after the reader
// has filled it; safe to use from any thread.
class Metadata {
 public:
  using Value = std::variant<bool, int64_t, uint64_t, double, std::string,                    // scalars
                             std::vector<bool>, std::vector<int64_t>, std::vector<uint64_t>,  // arrays
                             std::vector<double>, std::vector<std::string>>;

  explicit Metadata(std::string source = {}) : source_(std::move(source)) {}

  // The file that this came from, for error messages.
  const std::string& source() const { return source_; }

  // Adds a key. `width` is in how many bytes the file had the number, or each of the array's; 0: not known, or no
  // number. Throws Error(corrupt_file) when the key is there already.
  void add(std::string key, Value value, int width = 0);

  // A number's width as above, so that it can be written as it was read.
  int width(std::string_view key) const;

  // Leaves a key out, if it is there.
  void remove(std::string_view key);

  bool contains(std::string_view key) const;
  const Value* find(std::string_view key) const;
  const std::map<std::string, Value, std::less<>>& values() const { return values_; }

  // A key's value; nothing when it is missing. Throws Error(corrupt_file), naming the key, the file, and the types
  // expected and found, when it is of another type. A number of either sign and width that fits is accepted for an
  // integer; any number for a double.
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> string(std::string_view key) const;
  const std::vector<std::string>* strings(std::string_view key) const;
  std::optional<std::vector<int64_t>> integers(std::string_view key) const;
  std::optional<std::vector<double>> numbers(std::string_view key) const;

  // The same for keys that must be there: missing is Error(corrupt_file) as well. A required integer must also lie
  // in [least, most]; the message gives the value and the bounds.
  int64_t require_integer(std::string_view key, int64_t least, int64_t most) const;
  double require_number(std::string_view key) const;
  std::string require_string(std::string_view key) const;

 private:
  std::string source_;
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, int, std::less<>> widths_;
};

}  // namespace emelex
