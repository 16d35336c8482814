#include "text/jinja/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/jinja/characters.h"
#include "text/jinja/limits.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {

namespace {

int check_depth(int depth) {
  if (depth > kMostValueDepth) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[chat template] expected values nested at most ", kMostValueDepth, " deep, got more"));
  }
  return depth;
}

}  // namespace

Value::Value(List list) {
  for (const Value& item : list.items) {
    list.depth = std::max(list.depth, item.depth() + 1);
    list.weight += item.weight();
  }
  check_depth(list.depth);
  storage_ = std::make_shared<const List>(std::move(list));
}

Value::Value(Dict dict) {
  for (const auto& [key, value] : dict.items) {
    dict.depth = std::max({dict.depth, key.depth() + 1, value.depth() + 1});
    dict.weight += key.weight() + value.weight();
  }
  check_depth(dict.depth);
  storage_ = std::make_shared<const Dict>(std::move(dict));
}

Value::Value(Function function) {
  check_depth(function.depth);
  storage_ = std::make_shared<const Function>(std::move(function));
}

Value Value::undefined(std::string name) {
  Value value;
  value.storage_ = Undefined{std::move(name)};
  return value;
}

bool Value::truth() const {
  if (is<bool>()) return std::get<bool>(storage_);
  if (is<int64_t>()) return std::get<int64_t>(storage_) != 0;
  if (is<double>()) return std::get<double>(storage_) != 0;
  if (const Text* held = text()) return !held->empty();
  if (const List* held = list()) return !held->items.empty();
  if (const Dict* held = dict()) return !held->items.empty();
  return !is_undefined() && !is_none();
}

int Value::depth() const {
  if (const List* held = list()) return held->depth;
  if (const Dict* held = dict()) return held->depth;
  if (const Function* held = function()) return held->depth;
  return 1;
}

double Value::weight() const {
  constexpr double kBytesAStep = 16;
  if (const Text* held = text()) return 1 + static_cast<double>(held->size()) / kBytesAStep;
  if (const List* held = list()) return held->weight;
  if (const Dict* held = dict()) return held->weight;
  return 1;
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.text() != nullptr && b.text() != nullptr) return a.text()->bytes() == b.text()->bytes();
  if (a.list() != nullptr && b.list() != nullptr) {
    return a.list()->kind == b.list()->kind && a.list()->items == b.list()->items;
  }
  if (a.dict() != nullptr && b.dict() != nullptr) {
    const Dict& x = *a.dict();
    const Dict& y = *b.dict();
    return x.items.size() == y.items.size() && std::all_of(x.items.begin(), x.items.end(), [&](const auto& item) {
             const Value* other = y.find(item.first);
             return other != nullptr && *other == item.second;
           });
  }
  if (a.function() != nullptr) return a.function() == b.function();
  if (a.names() != nullptr) return a.names() == b.names();
  if (a.loop() != nullptr) return a.loop() == b.loop();
  if (a.generator() != nullptr) return a.generator() == b.generator();
  return (a.is_undefined() && b.is_undefined()) || (a.is_none() && b.is_none());
}

std::string_view Value::type_name() const {
  if (is_undefined()) return "Undefined";
  if (is_none()) return "NoneType";
  if (is<bool>()) return "bool";
  if (is<int64_t>()) return "int";
  if (is<double>()) return "float";
  if (text() != nullptr) return "str";
  if (const List* held = list()) {
    static constexpr std::array<std::string_view, 6> kNames = {"list",      "tuple",       "range",
                                                               "dict_keys", "dict_values", "dict_items"};
    return kNames[static_cast<size_t>(held->kind)];
  }
  if (dict() != nullptr) return "dict";
  if (function() != nullptr) return "function";
  if (generator() != nullptr) return "generator";
  return names() != nullptr ? std::string_view(names()->type) : "LoopContext";
}

const Value* Dict::find(const Value& key) const {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.first == key; });
  return found == items.end() ? nullptr : &found->second;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) {
    return item.first.text() != nullptr && item.first.text()->bytes() == key;
  });
  return found == items.end() ? nullptr : &found->second;
}

void Dict::set(Value key, Value value) {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.first == key; });
  if (found != items.end()) {
    found->second = std::move(value);
  } else {
    items.emplace_back(std::move(key), std::move(value));
  }
}

const Value* Namespace::find(std::string_view name) const {
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& value) { return value.first == name; });
  return found == values.end() ? nullptr : &found->second;
}

void Namespace::set(std::string_view name, Value value) {
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& held) { return held.first == name; });
  if (found != values.end()) {
    found->second = std::move(value);
  } else {
    values.emplace_back(name, std::move(value));
  }
}

std::string float_repr(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const double size = std::fabs(number);
  const bool scientific = size != 0 && (size < 1e-4 || size >= 1e16);
  const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format).ptr;
  std::string out(buffer.data(), end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

namespace {

// A character that repr() shows as it is.
bool shows(const Utf8Char& character) {
  return character.kind == Utf8Char::Kind::valid && is_printable(character.code_point);
}

void append_escape(Text& out, const Utf8Char& character, unsigned char first_byte, bool from_data) {
  const char32_t code = character.kind == Utf8Char::Kind::valid ? character.code_point : first_byte;
  if (code == '\n') return out.append("\\n", from_data);
  if (code == '\r') return out.append("\\r", from_data);
  if (code == '\t') return out.append("\\t", from_data);
  const char* format = code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";
  std::array<char, 16> escape;
  std::snprintf(escape.data(), escape.size(), format, static_cast<unsigned>(code));
  out.append(escape.data(), from_data);
}

void append_string_repr(Text& out, const Text& text) {
  const std::string& bytes = text.bytes();
  const bool double_quotes = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
  const char quote = double_quotes ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  size_t plain = 0;  // where that begins which is shown as it is
  for (size_t position = 0; position < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, position);
    const bool quoted = bytes[position] == '\\' || bytes[position] == quote;
    if (quoted || !shows(character)) {
      const bool from_data = text.from_data(position);
      out.append(text, plain, position);
      plain = position;
      if (quoted) {
        out.append("\\", from_data);  // and the sign itself, as it is
      } else {
        append_escape(out, character, static_cast<unsigned char>(bytes[position]), from_data);
        plain += character.length;
      }
    }
    position += character.length;
  }
  out.append(text, plain, bytes.size());
  out.append(std::string_view(&quote, 1));
}

void append_list_repr(Text& out, const List& list) {
  if (list.kind == ListKind::range) {
    const std::string step = list.step == 1 ? "" : str_cat(", ", list.step);
    return out.append(str_cat("range(", list.start, ", ", list.stop, step, ")"));
  }
  if (!list.is_plain()) {
    static constexpr std::array<std::string_view, 3> kNames = {"dict_keys(", "dict_values(", "dict_items("};
    out.append(kNames[static_cast<size_t>(list.kind) - static_cast<size_t>(ListKind::keys)]);
  }
  const bool tuple = list.kind == ListKind::tuple;
  out.append(tuple ? "(" : "[");
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(out, list.items[i]);
  }
  out.append(!tuple ? "]" : list.items.size() == 1 ? ",)" : ")");
  if (!list.is_plain()) out.append(")");
}

void append_dict_repr(Text& out, const Dict& dict) {
  out.append("{");
  for (size_t i = 0; i < dict.items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(out, dict.items[i].first);
    out.append(": ");
    append_repr(out, dict.items[i].second);
  }
  out.append("}");
}

}  // namespace

void append_repr(Text& out, const Value& value) {
  if (const Text* text = value.text()) {
    if (text->is_markup()) out.append("Markup(");
    append_string_repr(out, *text);
    if (text->is_markup()) out.append(")");
    return;
  }
  if (const List* list = value.list()) return append_list_repr(out, *list);
  if (const Dict* dict = value.dict()) return append_dict_repr(out, *dict);
  if (value.is_undefined()) return out.append("Undefined");
  out.append(to_text(value));
}

Text to_text(const Value& value) {
  if (const Text* text = value.text()) return *text;
  if (value.is_undefined()) return Text();
  if (value.is_none()) return Text("None");
  if (value.is<bool>()) return Text(value.truth() ? "True" : "False");
  if (value.is<int64_t>()) return Text(std::to_string(value.integer()));
  if (value.is<double>()) return Text(float_repr(value.number()));
  if (value.function() != nullptr) return Text(str_cat("<function ", value.function()->name, ">"));
  if (value.names() != nullptr) return Text(str_cat("<", value.type_name(), ">"));
  if (const Loop* loop = value.loop())
    return Text(str_cat("<LoopContext ", loop->index + 1, "/", loop->items.size(), ">"));
  if (value.generator() != nullptr) return Text("<generator>");
  Text out;
  append_repr(out, value);
  return out;
}

}  // namespace emelex::jinja
