#include "text/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "text/jinja/access.h"
#include "text/jinja/markup.h"
#include "text/jinja/number_format.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

constexpr int64_t kWidest = 1 << 20;

bool is_number_character(char c) { return c >= '0' && c <= '9'; }

// The number at the beginning of `text`, which it is cut from; -1 when there is none.
int64_t take_number(Evaluator& evaluator, std::string_view& text) {
  int64_t number = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || !is_number_character(text[0])) return -1;
  if (parsed.ec != std::errc() || number > kWidest)
    evaluator.fail("expected a smaller number in a format, got a larger one");
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return number;
}

Text repr_of(Evaluator& evaluator, const Value& value) {
  evaluator.charge(value.weight());
  Text out;
  append_repr(out, value);
  return out;
}

// The first `n` characters.
Text first_characters(const Text& text, int n) {
  size_t end = 0;
  for (int i = 0; i < n && end < text.size(); ++i) end += utf8_at(text.bytes(), end).length;
  return text.part(0, end);
}

Text padded_number(Evaluator& evaluator, const Digits& number, const FormatSpec& spec) {
  if (spec.align != '=') {
    return pad(evaluator, Text(number.sign + number.digits), spec.width, spec.align == 0 ? '>' : spec.align, spec.fill);
  }
  if (spec.grouping != 0 && spec.width > 0) {
    evaluator.fail("zeros before grouped digits are not supported", ErrorCode::unsupported);
  }
  const auto room = spec.width - static_cast<int64_t>(number.sign.size());
  Text out(number.sign);
  out.append(pad(evaluator, Text(number.digits), room, '>', spec.fill));
  return out;
}

// One use of a printf format: "%(key)-05.1f" without its "%".
class PercentFormatter {
 public:
  // With `escapes`, what is filled in has HTML's signs escaped.
  PercentFormatter(Evaluator& evaluator, const Value& values, bool escapes)
      : evaluator_(evaluator), values_(values), escapes_(escapes) {}

  Text run(const Text& format) {
    const std::string_view bytes = format.bytes();
    Text out;
    for (size_t at = 0; at < bytes.size();) {
      const size_t sign = std::min(bytes.find('%', at), bytes.size());
      out.append(format, at, sign);
      if (sign == bytes.size()) break;
      std::string_view rest = bytes.substr(sign + 1);
      out.append(replacement(rest));
      at = bytes.size() - rest.size();
    }
    const List* tuple = tuple_of_values();
    const bool all_used = tuple != nullptr ? next_ >= tuple->items.size() : next_ > 0 || has_keys();
    if (!all_used) evaluator_.fail("expected all values to be used by the format, got more");
    return out;
  }

 private:
  const List* tuple_of_values() const {
    return values_.list() != nullptr && values_.list()->kind == ListKind::tuple ? values_.list() : nullptr;
  }
  // Python takes whatever can be indexed, but strings and tuples, for a mapping.
  bool has_keys() const {
    return values_.is_undefined() || values_.dict() != nullptr ||
           (values_.list() != nullptr && values_.list()->has_index() && tuple_of_values() == nullptr);
  }

  const Value& next() {
    const List* tuple = tuple_of_values();
    const size_t count = tuple == nullptr ? 1 : tuple->items.size();
    if (next_ >= count) evaluator_.fail("expected as many values as the format has places, got fewer");
    return tuple == nullptr ? (++next_, values_) : tuple->items[next_++];
  }

  int64_t star_or_number(std::string_view& rest, int64_t otherwise) {
    if (!rest.starts_with('*')) {
      const int64_t number = take_number(evaluator_, rest);
      return number < 0 ? otherwise : number;
    }
    rest.remove_prefix(1);
    const Value& value = next();
    if (!value.is_integer() || std::abs(value.number()) > kWidest)
      evaluator_.fail("expected a small integer for '*', got another value");
    return value.integer();
  }

  Text replacement(std::string_view& rest) {
    Value keyed;
    const bool by_key = rest.starts_with('(');
    if (by_key) {
      const size_t end = std::min(rest.find(')'), rest.size() - 1);
      if (values_.dict() == nullptr) evaluator_.fail("expected a dict for a format with names, got another value");
      const Value* found = values_.dict()->find(rest.substr(1, end - 1));
      if (found == nullptr)
        evaluator_.fail(str_cat("expected the key ", quote_bytes(rest.substr(1, end - 1)), ", got none"));
      keyed = *found;
      rest.remove_prefix(end + 1);
    }
    FormatSpec spec;
    spec.align = '>';
    bool zeros = false;
    for (; !rest.empty() && std::string_view("-+ #0").find(rest[0]) != std::string_view::npos; rest.remove_prefix(1)) {
      if (rest[0] == '-') spec.align = '<';
      if (rest[0] == '+' || (rest[0] == ' ' && spec.sign == '-')) spec.sign = rest[0];
      if (rest[0] == '#') spec.alternate = true;
      if (rest[0] == '0') zeros = true;
    }
    spec.width = star_or_number(rest, 0);
    if (spec.width < 0) spec.align = '<', spec.width = -spec.width;
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      spec.precision = static_cast<int>(std::max<int64_t>(star_or_number(rest, 0), 0));
    }
    while (!rest.empty() && std::string_view("hlL").find(rest[0]) != std::string_view::npos) rest.remove_prefix(1);
    if (rest.empty()) evaluator_.fail("expected a complete format, got one that ends early");
    spec.type = rest[0];
    rest.remove_prefix(1);
    if (spec.type == '%') return Text("%");
    return value_text(by_key ? keyed : next(), spec, zeros);
  }

  Text value_text(const Value& value, FormatSpec spec, bool zeros) {
    if (spec.type == 's' || spec.type == 'r') {
      Text text = spec.type == 's' ? evaluator_.text_of(value) : repr_of(evaluator_, value);
      if (escapes_) text = escape_html(text);
      if (spec.precision >= 0) text = first_characters(text, spec.precision);
      return pad(evaluator_, text, spec.width, spec.align, spec.fill);
    }
    if (spec.type == 'c' && value.text() != nullptr && utf8_length(value.text()->bytes()) == 1) {
      return pad(evaluator_, *value.text(), spec.width, spec.align, spec.fill);
    }
    if (!evaluator_.defined(value).is_number()) {
      evaluator_.fail(str_cat("expected a number for '%", spec.type, "', got ", value.type_name()));
    }
    if (zeros && spec.align != '<') spec.align = '=', spec.fill = Text("0");
    if (std::string_view("eEfFgG").find(spec.type) != std::string_view::npos) {
      return padded_number(evaluator_, float_digits(evaluator_, value.number(), spec), spec);
    }
    return integer_text(value, spec);
  }

  Text integer_text(const Value& value, FormatSpec spec) {
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (!decimal && std::string_view("xXo").find(spec.type) == std::string_view::npos) {
      evaluator_.fail(str_cat("the format '%", spec.type, "' is not supported"), ErrorCode::unsupported);
    }
    if (!value.is_integer() && !(decimal && std::fabs(value.number()) < 9.2e18)) {
      evaluator_.fail(str_cat("expected an integer for '%", spec.type, "', got ", value.type_name()));
    }
    const int64_t number = value.is_integer() ? value.integer() : static_cast<int64_t>(value.number());
    if (decimal) spec.type = 'd';
    const int precision = std::exchange(spec.precision, -1);
    Digits digits = integer_digits(evaluator_, number, spec);
    digits.digits = pad(evaluator_, Text(digits.digits), precision, '>', Text("0")).bytes();
    return padded_number(evaluator_, digits, spec);
  }

  Evaluator& evaluator_;
  const Value& values_;
  bool escapes_;
  size_t next_ = 0;
};

// One use of str.format.
class BraceFormatter {
 public:
  BraceFormatter(Evaluator& evaluator, const Arguments& arguments) : evaluator_(evaluator), arguments_(arguments) {}

  Text run(const Text& format, bool nested) {
    const std::string_view bytes = format.bytes();
    Text out;
    for (size_t at = 0; at < bytes.size();) {
      const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.append(format, at, brace);
      if (brace == bytes.size()) break;
      if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
        out.append(format, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      const size_t end = bytes[brace] == '{' ? end_of_field(bytes, brace) : std::string_view::npos;
      if (end == std::string_view::npos) evaluator_.fail("expected a format with braces in pairs, got a single one");
      out.append(field(format, brace + 1, end, nested, format.is_markup()));
      at = end + 1;
    }
    return out;
  }

 private:
  static size_t end_of_field(std::string_view bytes, size_t at) {
    for (int open = 0; at < bytes.size(); ++at) {
      if (bytes[at] == '{') ++open;
      if (bytes[at] == '}' && --open == 0) return at;
    }
    return std::string_view::npos;
  }

  Text field(const Text& format, size_t begin, size_t end, bool nested, bool escapes) {
    const std::string_view bytes = std::string_view(format.bytes()).substr(begin, end - begin);
    const size_t colon = std::min(bytes.find(':'), bytes.size());
    const size_t mark = std::min(bytes.find('!'), colon);
    Value value = value_of(bytes.substr(0, mark));
    if (mark < colon) {
      const std::string_view conversion = bytes.substr(mark + 1, colon - mark - 1);
      if (conversion != "s" && conversion != "r") evaluator_.fail("expected the conversion !s or !r, got another");
      value = conversion == "s" ? Value(evaluator_.text_of(value)) : Value(repr_of(evaluator_, value));
    }
    Text spec;
    if (colon < bytes.size()) spec = format.part(begin + colon + 1, end);
    if (spec.bytes().find('{') != std::string::npos) {
      if (nested) evaluator_.fail("expected braces at most two deep in a format, got more");
      spec = run(spec, true);
    }
    const Text text = formatted(value, spec);
    return escapes ? escape_html(text) : text;
  }

  // "0.name[key]"; without a number or name the next value.
  Value value_of(std::string_view path) {
    const size_t end = std::min(path.find_first_of(".["), path.size());
    if (end == 0 && !path.empty()) evaluator_.fail("expected a number or name before a part of a value, got none");
    Value value = argument(path.substr(0, end));
    path.remove_prefix(end);
    while (!path.empty()) {
      const bool item = path[0] == '[';
      const size_t stop = item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
      if (stop == std::string_view::npos) evaluator_.fail("expected ']' in a format, got the end");
      const std::string_view name = path.substr(1, stop - 1);
      std::string_view digits = name;
      const int64_t index = item ? take_number(evaluator_, digits) : -1;
      const bool by_index = index >= 0 && digits.empty();
      value = !item      ? attribute_of(evaluator_, value, name)
              : by_index ? item_of(evaluator_, value, Value(index))
                         : item_of(evaluator_, value, Value(std::string(name)));
      path.remove_prefix(stop + (item ? 1 : 0));
    }
    return value;
  }

  Value argument(std::string_view name) {
    std::string_view digits = name;
    int64_t index = take_number(evaluator_, digits);
    if (name.empty() || (index >= 0 && digits.empty())) {
      const bool counts = name.empty();
      if (numbering_.value_or(counts) != counts)
        evaluator_.fail("expected all places of a format numbered or none, got some");
      numbering_ = counts;
      if (counts) index = next_++;
      if (static_cast<size_t>(index) >= arguments_.positional.size()) {
        evaluator_.fail(str_cat("expected a value for place ", index, " of the format, got none"));
      }
      return arguments_.positional[static_cast<size_t>(index)];
    }
    for (const auto& [key, value] : arguments_.named) {
      if (key == name) return value;
    }
    evaluator_.fail(str_cat("expected a value for ", quote_bytes(name), " of the format, got none"));
  }

  FormatSpec parsed(const Text& text) const {
    std::string_view rest = text.bytes();
    FormatSpec spec;
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    const size_t first = rest.empty() ? 0 : utf8_at(rest, 0).length;
    const bool has_fill = first < rest.size() && is_align(rest[first]);
    if (has_fill) {
      spec.fill = text.part(0, first);
      spec.align = rest[first];
      rest.remove_prefix(first + 1);
    } else if (!rest.empty() && is_align(rest[0])) {
      spec.align = rest[0];
      rest.remove_prefix(1);
    }
    const auto take = [&](std::string_view choices) {
      if (rest.empty() || choices.find(rest[0]) == std::string_view::npos) return char{0};
      const char taken = rest[0];
      rest.remove_prefix(1);
      return taken;
    };
    if (const char sign = take("+- ")) spec.sign = sign;
    spec.alternate = take("#") != 0;
    if (take("0") != 0 && !has_fill) {
      spec.fill = Text("0");
      if (spec.align == 0) spec.align = '=';
    }
    spec.width = std::max<int64_t>(take_number(evaluator_, rest), 0);
    spec.grouping = take(",_");
    if (take(".") != 0) {
      const int64_t precision = take_number(evaluator_, rest);
      if (precision < 0) evaluator_.fail("expected a precision after '.', got none");
      spec.precision = static_cast<int>(precision);
    }
    if (!rest.empty()) spec.type = rest[0];
    if (rest.size() > 1) evaluator_.fail(str_cat("expected a format, got ", quote_bytes(rest)));
    return spec;
  }

  Text formatted(const Value& value, const Text& spec_text) {
    if (spec_text.empty()) return evaluator_.text_of(value);
    FormatSpec spec = parsed(spec_text);
    if (const Text* text = value.text()) {
      // "05" pads a string with zeros on the right.
      if (spec.align == '=' && spec.fill.bytes() == "0") spec.align = '<';
      const bool good = (spec.type == 0 || spec.type == 's') && spec.align != '=' && spec.sign == '-' &&
                        !spec.alternate && spec.grouping == 0;
      if (!good) evaluator_.fail(str_cat("expected a format for strings, got ", quote_bytes(spec_text.bytes())));
      const Text cut = spec.precision < 0 ? *text : first_characters(*text, spec.precision);
      return pad(evaluator_, cut, spec.width, spec.align == 0 ? '<' : spec.align, spec.fill);
    }
    if (!evaluator_.defined(value).is_number()) {
      evaluator_.fail(str_cat("expected a value that a format can be for, got ", value.type_name()));
    }
    if (spec.type == 's' || spec.type == 'c') evaluator_.fail("expected a format for numbers, got another");
    const Digits digits = value.is_integer() ? integer_digits(evaluator_, value.integer(), spec)
                                             : float_digits(evaluator_, value.number(), spec);
    return padded_number(evaluator_, digits, spec);
  }

  Evaluator& evaluator_;
  const Arguments& arguments_;
  std::optional<bool> numbering_;  // whether places count themselves
  int64_t next_ = 0;
};

}  // namespace

Text pad(Evaluator& evaluator, const Text& text, int64_t width, char align, const Text& fill) {
  evaluator.charge(1 + static_cast<double>(text.size()) / 16);
  const int64_t missing = width - static_cast<int64_t>(utf8_length(text.bytes()));
  if (missing <= 0) return text;
  evaluator.charge(static_cast<double>(missing));
  const int64_t left = align == '<' ? 0 : align == '>' ? missing : missing / 2;
  Text out;
  for (int64_t i = 0; i < left; ++i) out.append(fill);
  out.append(text);
  for (int64_t i = left; i < missing; ++i) out.append(fill);
  return out;
}

Text format_percent(Evaluator& evaluator, const Text& format, const Value& values) {
  const Text out = PercentFormatter(evaluator, values, format.is_markup()).run(format);
  return format.is_markup() ? out.as_markup() : out;
}

Text format_braces(Evaluator& evaluator, const Text& format, const Arguments& arguments) {
  const Text out = BraceFormatter(evaluator, arguments).run(format, false);
  return format.is_markup() ? out.as_markup() : out;
}

}  // namespace emelex::jinja
