#include "text/jinja/json_value.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/jinja/limits.h"

namespace emelex::jinja {
namespace {

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(std::string_view what) : what_(what) {}

  Value take() { return std::move(root_); }

  bool null() override { return add(Value(None{})); }
  bool boolean(bool x) override { return add(Value(x)); }
  bool number_integer(int64_t x) override { return add(Value(x)); }
  bool number_unsigned(uint64_t x) override {
    if (x > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      fail("integers of at most 64 bits", "a larger one");
    return add(Value(static_cast<int64_t>(x)));
  }
  bool number_float(double x, const std::string& /*text*/) override { return add(Value(x)); }
  bool string(std::string& x) override { return add(Value(Text(std::move(x), true))); }
  bool binary(binary_t& /*x*/) override { return false; }  // not in JSON texts
  bool start_object(size_t /*n*/) override { return open(false); }
  bool start_array(size_t /*n*/) override { return open(true); }
  bool key(std::string& name) override {
    open_.back().key = std::move(name);
    return true;
  }
  bool end_object() override {
    Dict dict;
    dict.items = std::move(open_.back().members);
    return close(Value(std::move(dict)));
  }
  bool end_array() override {
    List list{std::move(open_.back().items)};
    return close(Value(std::move(list)));
  }

  bool parse_error(size_t position, const std::string& /*last*/,
                   const nlohmann::detail::exception& /*error*/) override {
    fail("JSON", str_cat("something else at byte ", position));
  }

  [[noreturn]] void fail(std::string_view expected, std::string_view got) const {
    throw Error(ErrorCode::invalid_argument, str_cat("[chat] expected ", expected, " in ", what_, ", got ", got));
  }

 private:
  struct Open {
    bool is_array;
    std::string key;  // of the member that comes
    std::vector<Value> items;
    std::vector<std::pair<Value, Value>> members;
    std::unordered_map<std::string, size_t> places;  // of the members by their keys
  };

  bool open(bool is_array) {
    if (open_.size() == kMostJsonDepth) fail(str_cat("at most ", kMostJsonDepth, " levels"), "more");
    open_.push_back({is_array, {}, {}, {}, {}});
    return true;
  }

  bool close(Value value) {
    open_.pop_back();
    return add(std::move(value));
  }

  bool add(Value value) {
    if (++n_values_ > kMostJsonValues) fail(str_cat("at most ", kMostJsonValues, " values"), "more");
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Open& parent = open_.back(); parent.is_array) {
      parent.items.push_back(std::move(value));
    } else if (const auto [at, added] = parent.places.emplace(parent.key, parent.members.size()); added) {
      parent.members.emplace_back(Value(Text(parent.key, true)), std::move(value));
    } else {
      parent.members[at->second].second = std::move(value);
    }
    return true;
  }

  std::string_view what_;
  Value root_;
  std::vector<Open> open_;  // arrays and objects that have begun, outermost first
  size_t n_values_ = 0;
};

}  // namespace

Value value_from_json(std::string_view text, std::string_view what) {
  Builder builder(what);
  if (text.size() > kMostJsonBytes) builder.fail(str_cat("at most ", kMostJsonBytes, " bytes"), str_cat(text.size()));
  // The parser takes a zero byte for the end.
  if (text.find('\0') != std::string_view::npos) builder.fail("JSON", "a zero byte");
  (void)nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace emelex::jinja
