#include "weights/bounded_json.h"

#include <utility>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

std::string quoted_non_finite(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string || c == '"') {
      out += c;
      if (c == '"') in_string = !in_string;
      if (c == '\\' && i + 1 < text.size()) out += text[++i];
      continue;
    }
    bool found = false;
    for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
      if (!text.substr(i).starts_with(word)) continue;
      out += str_cat("\"", word, "\"");
      i += word.size() - 1;
      found = true;
      break;
    }
    if (!found) out += c;
  }
  return out;
}

bool JsonBuilder::key(std::string& name) {
  const auto [at, added] = open_.back()->emplace(name, nullptr);
  if (!added && !limits_.as_python) fail("each key once", str_cat(quote_bytes(name), " twice"));
  member_ = &*at;
  return true;
}

bool JsonBuilder::parse_error(size_t position, const std::string& last, const nlohmann::detail::exception& /*error*/) {
  fail("JSON", str_cat("something else near ", quote_bytes(last.substr(0, 40)), " at byte ", position));
}

void JsonBuilder::fail(std::string_view expected, std::string_view got) const {
  throw Error(ErrorCode::corrupt_file,
              str_cat("[", component_, "] expected ", expected, ", got ", got, " in ", source_));
}

void JsonBuilder::count_value() {
  if (++n_values_ > limits_.values) fail(str_cat("at most ", limits_.values, " values"), "more");
}

bool JsonBuilder::add(Json value) {
  place(std::move(value));
  return true;
}

Json* JsonBuilder::place(Json value) {
  count_value();
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

bool JsonBuilder::open(Json empty) {
  if (open_.size() == limits_.depth) fail(str_cat("JSON at most ", limits_.depth, " levels deep"), "more");
  open_.push_back(place(std::move(empty)));
  return true;
}

bool JsonBuilder::close() {
  open_.pop_back();
  return true;
}

Json JsonBuilder::parse(std::string_view text) {
  if (text.size() > limits_.bytes) fail(str_cat("at most ", limits_.bytes, " bytes of JSON"), str_cat(text.size()));
  // The parser takes a zero byte for the end.
  if (text.find('\0') != std::string_view::npos) fail("JSON", "a zero byte");
  (void)Json::sax_parse(text.begin(), text.end(), this);
  return std::move(root_);
}

Json parse_json(std::string_view text, const JsonLimits& limits, std::string_view component, std::string_view source) {
  return JsonBuilder(limits, component, source).parse(text);
}

}  // namespace emelex
