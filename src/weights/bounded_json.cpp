#include "weights/bounded_json.h"

#include <utility>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

// Builds the document itself, so that limits hold while it grows and a repeated key is seen.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(const JsonLimits& limits, std::string_view component, std::string_view source)
      : limits_(limits), component_(component), source_(source) {}

  Json take() { return std::move(root_); }

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

  bool key(std::string& name) override {
    const auto [at, added] = open_.back()->emplace(name, nullptr);
    if (!added) fail("each key once", str_cat(quote_bytes(name), " twice"));
    member_ = &*at;
    return true;
  }

  bool parse_error(size_t position, const std::string& last, const nlohmann::detail::exception& /*error*/) override {
    fail("JSON", str_cat("something else near ", quote_bytes(last.substr(0, 40)), " at byte ", position));
  }

  [[noreturn]] void fail(std::string_view expected, std::string_view got) const {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[", component_, "] expected ", expected, ", got ", got, " in ", source_));
  }

 private:
  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  Json* place(Json value) {
    if (++n_values_ > limits_.values) fail(str_cat("at most ", limits_.values, " values"), "more");
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool open(Json empty) {
    if (open_.size() == limits_.depth) fail(str_cat("JSON at most ", limits_.depth, " levels deep"), "more");
    open_.push_back(place(std::move(empty)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  std::string_view component_;
  std::string_view source_;
  Json root_;
  std::vector<Json*> open_;  // arrays and objects that have begun, outermost first
  Json* member_ = nullptr;   // the value of the key that was read last
  size_t n_values_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits, std::string_view component, std::string_view source) {
  Builder builder(limits, component, source);
  if (text.size() > limits.bytes) {
    builder.fail(str_cat("at most ", limits.bytes, " bytes of JSON"), str_cat(text.size()));
  }
  // The parser takes a zero byte for the end.
  if (text.find('\0') != std::string_view::npos) builder.fail("JSON", "a zero byte");
  (void)Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace emelex
