#include "text/jinja/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/jinja/characters.h"
#include "text/jinja/json.h"
#include "text/jinja/methods.h"
#include "text/utf8.h"

namespace emelex::jinja {
namespace {

Text input_text(const Call& call) { return call.evaluator.text_of(call.self); }

Value trim(const Call& call) {
  const auto bound = call.bound({"chars"});
  const Text text = input_text(call);
  const bool all_space = bound[0] == nullptr || bound[0]->is_none();
  const std::string* characters = all_space ? nullptr : &call.text_argument(bound[0]).bytes();
  if (characters != nullptr) call.evaluator.charge(static_cast<double>(text.size() * (1 + characters->size())) / 16);
  const Range range = strip_range(text.bytes(), characters, true, true);
  return Value(text.part(range.begin, range.end));
}

// Unlike str.title, only spaces and opening brackets part words.
Value title(const Call& call) {
  call.bound({});
  const Text text = input_text(call);
  const std::string& bytes = text.bytes();
  Text out;
  bool starts = true;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    out.append(to_case(text.part(at, at + character.length), starts ? Case::upper : Case::lower));
    const bool ascii_mark =
        character.code_point < 0x80 &&
        std::string_view("-({[<").find(static_cast<char>(character.code_point)) != std::string::npos;
    starts = ascii_mark || is_space(character.code_point);
    at += character.length;
  }
  return Value(std::move(out));
}

Value default_value(const Call& call) {
  const auto bound = call.bound({"default_value", "boolean"});
  const bool any_false = Call::flag_argument(bound[1], false);
  if (!call.self.is_undefined() && (!any_false || call.self.truth())) return call.self;
  return bound[0] != nullptr ? *bound[0] : Value("");
}

Value tojson(const Call& call) {
  const auto bound = call.bound({"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = Call::flag_argument(bound[0], false);
  style.sort_keys = Call::flag_argument(bound[3], false);
  if (bound[1] != nullptr && !bound[1]->is_none()) {
    style.indents = true;
    if (bound[1]->text() != nullptr) {
      style.indent = bound[1]->text()->bytes();
    } else {
      const int64_t width = call.integer_argument(bound[1], 0);
      if (width > kWidestJsonIndent) call.evaluator.fail(str_cat("expected a narrower indent, got ", width));
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    style.item_separator.pop_back();  // "," alone, as lines end there
  }
  if (bound[2] != nullptr && !bound[2]->is_none()) {
    const List* pair = bound[2]->list();
    if (pair == nullptr || pair->items.size() != 2) call.evaluator.fail("expected two separators, got something else");
    style.item_separator = call.text_argument(&pair->items[0]).bytes();
    style.key_separator = call.text_argument(&pair->items[1]).bytes();
  }
  return Value(to_json(call.evaluator, call.self, style));
}

Value replace_filter(const Call& call) {
  const auto bound = call.bound({"old", "new", "count"});
  const bool all = bound[2] == nullptr || bound[2]->is_none();
  return Value(replace(call.evaluator, input_text(call), call.evaluator.text_of(call.required(bound[0])),
                       call.evaluator.text_of(call.required(bound[1])),
                       all ? -1 : call.integer_argument(bound[2], -1)));
}

// Each line and its end, as str.splitlines() finds them.
std::vector<Range> lines_of(const std::string& bytes) {
  std::vector<Range> lines;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    const char32_t c = character.code_point;
    const size_t next = at + character.length;
    if ((c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029) {
      lines.push_back({begin, at});
      begin = c == '\r' && next < bytes.size() && bytes[next] == '\n' ? next + 1 : next;
      at = begin;
    } else {
      at = next;
    }
  }
  if (begin < bytes.size()) lines.push_back({begin, bytes.size()});
  return lines;
}

Value indent(const Call& call) {
  const auto bound = call.bound({"width", "first", "blank"});
  const bool first = Call::flag_argument(bound[1], false);
  const bool blank = Call::flag_argument(bound[2], false);
  Text indention;
  if (bound[0] != nullptr && bound[0]->text() != nullptr) {
    indention = *bound[0]->text();
  } else {
    const int64_t width = std::max<int64_t>(call.integer_argument(bound[0], 4), 0);
    call.evaluator.charge(static_cast<double>(width));
    indention.append(std::string(static_cast<size_t>(width), ' '));
  }
  Text text = input_text(call);
  text.append("\n");
  Text out;
  const std::vector<Range> lines = lines_of(text.bytes());
  for (size_t i = 0; i < lines.size(); ++i) {
    call.evaluator.charge(2 + static_cast<double>(indention.size()) / 16);
    if (i > 0) out.append("\n");
    const bool empty = lines[i].begin == lines[i].end;
    if (i == 0 ? first : blank || !empty) out.append(indention);
    out.append(text, lines[i].begin, lines[i].end);
  }
  return Value(std::move(out));
}

// A number from the whole of a string, as Python's int() and float() read it.
std::string number_text(const Text& text) {
  const Range range = strip_range(text.bytes(), nullptr, true, true);
  std::string out;
  for (size_t i = range.begin; i < range.end; ++i) {
    const bool between = i > range.begin && i + 1 < range.end;
    if (text.bytes()[i] != '_' || !between) out.push_back(text.bytes()[i]);
  }
  if (out.size() > 1 && out[0] == '+' && out[1] != '-') out.erase(0, 1);
  return out;
}

template <class Number>
bool parse_number(const std::string& text, Number& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool fits_integer(double number) { return number >= -9.2e18 && number <= 9.2e18; }  // false for NaN

Value to_integer(const Call& call) {
  const auto bound = call.bound({"default", "base"});
  const Value otherwise = bound[0] != nullptr ? *bound[0] : Value(int64_t{0});
  if (call.integer_argument(bound[1], 10) != 10) {
    call.evaluator.fail("the filter 'int' with another base than 10 is not supported", ErrorCode::unsupported);
  }
  if (call.self.is_integer()) return Value(call.self.integer());
  double number = 0;
  if (const Text* text = call.self.text()) {
    const std::string digits = number_text(*text);
    int64_t integer = 0;
    if (parse_number(digits, integer)) return Value(integer);
    if (!parse_number(digits, number)) return otherwise;
  } else if (call.self.is<double>()) {
    number = call.self.number();
  } else {
    call.evaluator.defined(call.self);
    return otherwise;
  }
  return fits_integer(number) ? Value(static_cast<int64_t>(number)) : otherwise;
}

Value to_float(const Call& call) {
  const auto bound = call.bound({"default"});
  if (call.self.is_number()) return Value(call.self.number());
  double number = 0;
  if (call.self.text() != nullptr && parse_number(number_text(call.text()), number)) return Value(number);
  call.evaluator.defined(call.self);
  return bound[0] != nullptr ? *bound[0] : Value(0.0);
}

double input_number(const Call& call) {
  if (!call.evaluator.defined(call.self).is_number()) {
    call.evaluator.fail(str_cat("expected a number for '", call.name, "', got ", call.self.type_name()));
  }
  return call.self.number();
}

Value absolute(const Call& call) {
  call.bound({});
  const double number = input_number(call);
  if (call.self.is<double>()) return Value(std::fabs(number));
  const int64_t integer = call.self.integer();
  if (integer == std::numeric_limits<int64_t>::min()) call.evaluator.fail("expected a smaller integer");
  return Value(integer < 0 ? -integer : integer);
}

Value round_number(const Call& call) {
  const auto bound = call.bound({"precision", "method"});
  const double number = input_number(call);
  const auto precision = static_cast<int>(std::clamp<int64_t>(call.integer_argument(bound[0], 0), -400, 400));
  const std::string method = bound[1] != nullptr ? call.text_argument(bound[1]).bytes() : "common";
  if (method == "common") {
    if (!std::isfinite(number) || precision > 300) return Value(number);
    if (precision < 0) {
      const double unit = std::pow(10.0, -precision);
      return Value(std::nearbyint(number / unit) * unit);
    }
    std::array<char, 700> buffer;  // 309 digits before the point, 300 after
    std::snprintf(buffer.data(), buffer.size(), "%.*f", precision, number);
    return Value(std::strtod(buffer.data(), nullptr));
  }
  if (method != "ceil" && method != "floor") {
    call.evaluator.fail(str_cat("expected common, ceil or floor, got ", quote_bytes(method)));
  }
  const double unit = std::pow(10.0, precision);
  return Value((method == "ceil" ? std::ceil(number * unit) : std::floor(number * unit)) / unit);
}

template <Text (*Change)(const Text&)>
Value changed(const Call& call) {
  call.bound({});
  return Value(Change(input_text(call)));
}

Text upper(const Text& text) { return to_case(text, Case::upper); }
Text lower(const Text& text) { return to_case(text, Case::lower); }
Text same(const Text& text) { return text; }

constexpr std::array kScalarFilters = {
    CallRule{"trim", trim},
    CallRule{"upper", changed<upper>},
    CallRule{"lower", changed<lower>},
    CallRule{"title", title},
    CallRule{"capitalize", changed<to_capitalized>},
    CallRule{"string", changed<same>},
    CallRule{"safe", changed<same>},
    CallRule{"default", default_value},
    CallRule{"d", default_value},
    CallRule{"tojson", tojson},
    CallRule{"replace", replace_filter},
    CallRule{"indent", indent},
    CallRule{"int", to_integer},
    CallRule{"float", to_float},
    CallRule{"abs", absolute},
    CallRule{"round", round_number},
    CallRule{"escape", nullptr},
    CallRule{"e", nullptr},
    CallRule{"format", nullptr},
    CallRule{"truncate", nullptr},
    CallRule{"wordwrap", nullptr},
    CallRule{"wordcount", nullptr},
    CallRule{"center", nullptr},
    CallRule{"striptags", nullptr},
    CallRule{"urlencode", nullptr},
    CallRule{"pprint", nullptr},
    CallRule{"xmlattr", nullptr},
    CallRule{"filesizeformat", nullptr},
    CallRule{"forceescape", nullptr},
    CallRule{"urlize", nullptr},
};

}  // namespace

std::span<const CallRule> scalar_filters() { return kScalarFilters; }

Value apply_filter(Evaluator& evaluator, std::string_view name, const Value& value, const Arguments& arguments) {
  for (const auto rules : {scalar_filters(), sequence_filters()}) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const CallRule& r) { return r.name == name; });
    if (rule != rules.end() && rule->call != nullptr) return rule->call({evaluator, value, arguments, name});
  }
  evaluator.fail(str_cat("the filter ", quote_bytes(name), " is not supported"), ErrorCode::unsupported);
}

}  // namespace emelex::jinja
