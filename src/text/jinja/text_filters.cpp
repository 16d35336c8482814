#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "text/jinja/access.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/format.h"
#include "text/jinja/markup.h"
#include "text/jinja/methods.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

Text input_text(const Call& call) { return call.evaluator.text_of(call.self); }

// Escapes take up to six bytes for one.
Text escaped(const Call& call, const Text& text) {
  call.evaluator.charge(6 * static_cast<double>(text.size()) / 16);
  return escape_html(text);
}

Value escape(const Call& call) {
  call.bound({});
  return Value(escaped(call, input_text(call)));
}

Value force_escape(const Call& call) {
  call.bound({});
  Text plain;
  plain.append(input_text(call));
  return Value(escaped(call, plain));
}

Value strip_tags_filter(const Call& call) {
  call.bound({});
  return Value(strip_tags(input_text(call)));
}

Value quoted(const Call& call, const Value& value, bool query) {
  const Text text = call.evaluator.text_of(value);
  call.evaluator.charge(static_cast<double>(text.size()));
  return Value(quote_url(text, query ? "" : "/", query));
}

// A part of a path; or of a dict or list of pairs the query "a=1&b=2".
Value url_encode(const Call& call) {
  call.bound({});
  const bool pairs = call.self.dict() != nullptr || call.self.list() != nullptr || call.self.generator() != nullptr;
  if (!pairs) return quoted(call, call.self, false);
  Text out;
  const Value items = call.self.dict() != nullptr ? pairs_of(call.evaluator, *call.self.dict()) : call.self;
  for (const Value& item : call.evaluator.iterate(items)) {
    const std::vector<Value> pair = call.evaluator.iterate(item);
    if (pair.size() != 2) call.evaluator.fail("expected pairs for 'urlencode', got something else");
    if (!out.empty()) out.append("&");
    out.append(*quoted(call, pair[0], true).text());
    out.append("=");
    out.append(*quoted(call, pair[1], true).text());
  }
  return Value(std::move(out));
}

Value xml_attributes(const Call& call) {
  const auto bound = call.bound({"autospace"});
  if (call.evaluator.defined(call.self).dict() == nullptr) {
    call.evaluator.fail(str_cat("expected a dict for 'xmlattr', got ", call.self.type_name()));
  }
  const bool space_first = Call::flag_argument(bound[0], true);
  Text out;
  for (const auto& [key, value] : call.self.dict()->items) {
    if (value.is_none() || value.is_undefined()) continue;
    const Text& name = call.text_argument(&key);
    if (name.bytes().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      call.evaluator.fail(str_cat("expected the name of an attribute, got ", quote_bytes(name.bytes())));
    }
    if (space_first || !out.empty()) out.append(" ");
    out.append(escaped(call, name));
    out.append("=\"");
    out.append(escaped(call, call.evaluator.text_of(value)));
    out.append("\"");
  }
  return Value(std::move(out));
}

Value format(const Call& call) {
  const auto& [positional, named] = call.arguments;
  if (!positional.empty() && !named.empty())
    call.evaluator.fail("expected values by place or by name for 'format', got both");
  if (named.empty()) {
    List values{positional, ListKind::tuple};
    return Value(format_percent(call.evaluator, input_text(call), Value(std::move(values))));
  }
  Dict values;
  for (const auto& [name, value] : named) values.set(Value(name), value);
  return Value(format_percent(call.evaluator, input_text(call), Value(std::move(values))));
}

Value center(const Call& call) {
  const int64_t width = call.integer_argument(call.bound({"width"})[0], 80);
  const Value text(input_text(call));
  const Arguments arguments{{Value(width)}, {}};
  return call.evaluator.call(Value(*method_of(text, "center")), arguments);
}

Value word_count(const Call& call) {
  call.bound({});
  const Text text = input_text(call);
  int64_t words = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char character = utf8_at(text.bytes(), at);
    const char32_t c = character.code_point;
    const bool is_word = c == '_' || is_letter(c) || is_numeric(c);
    if (is_word && !inside) ++words;
    inside = is_word;
    at += character.length;
  }
  return Value(words);
}

// The first characters of what is longer than `length` and some leeway, up to a whole word, and "...".
Value truncate(const Call& call) {
  const auto bound = call.bound({"length", "killwords", "end", "leeway"});
  const int64_t length = call.integer_argument(bound[0], 255);
  const Text end = bound[2] == nullptr ? Text("...") : call.text_argument(bound[2]);
  const int64_t leeway = bound[3] == nullptr || bound[3]->is_none() ? 5 : call.integer_argument(bound[3], 5);
  const int64_t kept = length - static_cast<int64_t>(utf8_length(end.bytes()));
  if (kept < 0 || leeway < 0) call.evaluator.fail("expected a length that the end fits in, got a smaller one");
  const int64_t characters = length_of(call.evaluator, call.self);
  if (characters <= length || characters - length <= leeway) return call.self;
  const Text text = call.text_argument(&call.self);
  const std::vector<size_t> starts = character_starts(text.bytes());
  size_t stop = starts[static_cast<size_t>(kept)];
  if (!Call::flag_argument(bound[1], false)) stop = std::min(stop, text.bytes().substr(0, stop).rfind(' '));
  Text out = text.part(0, stop);
  out.append(end);
  return Value(std::move(out));
}

Value file_size(const Call& call) {
  const bool binary = Call::flag_argument(call.bound({"binary"})[0], false);
  const Value number = apply_filter(call.evaluator, "float", call.self, {{Value(None{})}, {}});
  if (!number.is<double>()) call.evaluator.fail("expected a number for 'filesizeformat', got another value");
  const double bytes = number.number();
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return Value("1 Byte");
  if (bytes < base) return Value(str_cat(static_cast<int64_t>(std::max(bytes, -9e18)), " Bytes"));
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  size_t i = 0;
  double unit = base;
  for (; i + 1 < kPrefixes.size() && bytes >= unit * base; ++i) unit *= base;
  std::array<char, 400> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.1f", bytes / unit);
  const std::string prefix(1, binary && kPrefixes[i] == 'k' ? 'K' : kPrefixes[i]);
  return Value(str_cat(buffer.data(), " ", prefix, binary ? "iB" : "B"));
}

constexpr std::array kTextFilters = {
    CallRule{"escape", escape},
    CallRule{"e", escape},
    CallRule{"forceescape", force_escape},
    CallRule{"striptags", strip_tags_filter},
    CallRule{"urlencode", url_encode},
    CallRule{"xmlattr", xml_attributes},
    CallRule{"format", format},
    CallRule{"center", center},
    CallRule{"wordcount", word_count},
    CallRule{"truncate", truncate},
    CallRule{"filesizeformat", file_size},
    CallRule{"wordwrap", nullptr},
    CallRule{"pprint", nullptr},
    CallRule{"urlize", nullptr},
};

}  // namespace

std::span<const CallRule> text_filters() { return kTextFilters; }

}  // namespace emelex::jinja
