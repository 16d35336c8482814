#include "text/jinja/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/jinja/characters.h"
#include "text/jinja/json.h"
#include "text/jinja/split.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

Text input_text(const Call& call) { return call.evaluator.text_of(call.self); }

// Python's Markup stays markup through most of what is done to it.
Value like_input(const Call& call, Text made) {
  const bool markup = call.self.text() != nullptr && call.self.text()->is_markup();
  return Value(markup ? made.as_markup() : std::move(made));
}

Value trim(const Call& call) {
  const auto bound = call.bound({"chars"});
  const Text text = input_text(call);
  const bool all_space = bound[0] == nullptr || bound[0]->is_none();
  const std::string* characters = all_space ? nullptr : &call.text_argument(bound[0]).bytes();
  if (characters != nullptr) call.evaluator.charge(static_cast<double>(text.size() * (1 + characters->size())) / 16);
  const Range range = strip_range(text.bytes(), characters, true, true);
  return like_input(call, text.part(range.begin, range.end));
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
  Text text = call.text_argument(&call.self);
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
  return like_input(call, std::move(out));
}

// A number from the whole of a string, as Python's int() and float() read it.
std::string number_text(const Text& text) {
  const Range range = strip_range(text.bytes(), nullptr, true, true);
  std::string out;
  const auto is_digit_at = [&](size_t i) { return text.bytes()[i] >= '0' && text.bytes()[i] <= '9'; };
  for (size_t i = range.begin; i < range.end; ++i) {
    const bool between = i > range.begin && i + 1 < range.end && is_digit_at(i - 1) && is_digit_at(i + 1);
    if (text.bytes()[i] != '_' || !between) out.push_back(text.bytes()[i]);
  }
  if (out.size() > 1 && out[0] == '+' && out[1] != '-') out.erase(0, 1);
  return out;
}

bool parse_float(const std::string& text, double& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// Digits in `base`, which may have the prefix of that base: "-0x1f".
bool parse_integer(std::string text, int base, int64_t& number) {
  const size_t sign = text.starts_with('-') ? 1 : 0;
  const char letter = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : 0;
  if (letter != 0 && text.size() > sign + 2 && text[sign] == '0' && (text[sign + 1] | 0x20) == letter &&
      text[sign + 2] != '-') {
    text.erase(sign, 2);
  }
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool fits_integer(double number) { return number >= -9.2e18 && number <= 9.2e18; }  // false for NaN

Value to_integer(const Call& call) {
  const auto bound = call.bound({"default", "base"});
  const Value otherwise = bound[0] != nullptr ? *bound[0] : Value(int64_t{0});
  const int64_t base = call.integer_argument(bound[1], 10);
  if (base < 2 || base > 36) {
    call.evaluator.fail(str_cat("the filter 'int' with the base ", base, " is not supported"), ErrorCode::unsupported);
  }
  if (call.self.is_integer()) return Value(call.self.integer());
  double number = 0;
  if (const Text* text = call.self.text()) {
    const std::string digits = number_text(*text);
    int64_t integer = 0;
    if (parse_integer(digits, static_cast<int>(base), integer)) return Value(integer);
    if (!parse_float(digits, number)) return otherwise;
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
  if (call.self.text() != nullptr && parse_float(number_text(call.text()), number)) return Value(number);
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

// Of an integer only digits before the point are rounded away, half to even.
Value rounded_integer(const Call& call, int64_t number, int precision) {
  constexpr int kMostDigits = 18;
  if (precision >= 0) return Value(number);
  if (precision < -kMostDigits) return Value(int64_t{0});
  int64_t unit = 1;
  for (int i = 0; i < -precision; ++i) unit *= 10;
  int64_t rest = number % unit;
  if (rest < 0) rest += unit;
  const int64_t down = number - rest;
  const bool up = rest > unit - rest || (rest == unit - rest && down / unit % 2 != 0);
  int64_t result = down;
  if (up && __builtin_add_overflow(down, unit, &result))
    call.evaluator.fail("expected a smaller integer, got a larger one");
  return Value(result);
}

Value round_number(const Call& call) {
  const auto bound = call.bound({"precision", "method"});
  const double number = input_number(call);
  const auto precision = static_cast<int>(std::clamp<int64_t>(call.integer_argument(bound[0], 0), -400, 400));
  const std::string method = bound[1] != nullptr ? call.text_argument(bound[1]).bytes() : "common";
  if (method == "common") {
    if (call.self.is_integer()) return rounded_integer(call, call.self.integer(), precision);
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
  return like_input(call, Change(input_text(call)));
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
    CallRule{"safe", [](const Call& call) { return call.bound({}), Value(input_text(call).as_markup()); }},
    CallRule{"default", default_value},
    CallRule{"d", default_value},
    CallRule{"tojson", tojson},
    CallRule{"replace", replace_filter},
    CallRule{"indent", indent},
    CallRule{"int", to_integer},
    CallRule{"float", to_float},
    CallRule{"abs", absolute},
    CallRule{"round", round_number},
};

}  // namespace

std::span<const CallRule> scalar_filters() { return kScalarFilters; }

namespace {

const CallRule* find_filter(std::string_view name) {
  for (const auto rules : {scalar_filters(), text_filters(), sequence_filters(), grouping_filters()}) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const CallRule& r) { return r.name == name; });
    if (rule != rules.end()) return &*rule;
  }
  return nullptr;
}

// A filter that gives a generator, and what its items come from. `pull` refers to the others.
struct Opened {
  Value self;
  Arguments arguments;
  Pull pull;
};

}  // namespace

bool has_filter(std::string_view name) { return find_filter(name) != nullptr; }

Value apply_filter(Evaluator& evaluator, std::string_view name, const Value& value, const Arguments& arguments) {
  const CallRule* rule = find_filter(name);
  if (rule == nullptr || (rule->call == nullptr && rule->open == nullptr)) {
    evaluator.fail(str_cat("the filter ", quote_bytes(name), " is not supported"), ErrorCode::unsupported);
  }
  const Call call{evaluator, value, arguments, rule->name};
  if (rule->open == nullptr) return rule->call(call);
  if (arguments.positional.size() + arguments.named.size() < rule->least_arguments) call.required(nullptr);
  const auto opened = std::make_shared<Opened>(Opened{value, arguments, nullptr});
  return evaluator.make_generator([&evaluator, rule, opened] {
    if (!opened->pull) opened->pull = rule->open({evaluator, opened->self, opened->arguments, rule->name});
    return opened->pull();
  });
}

}  // namespace emelex::jinja
