#include "text/jinja/json.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(Evaluator& evaluator, const JsonStyle& style) : evaluator_(evaluator), style_(style) {}

  void write(const Value& value) {
    evaluator_.charge(1 + static_cast<double>(style_.indent.size() * level_) / 16);
    if (const Text* text = value.text()) return write_string(*text);
    if (const List* list = value.list(); list != nullptr && list->is_plain()) return write_list(*list);
    if (const Dict* dict = value.dict()) return write_dict(*dict);
    out_.append(scalar(value));
  }

  Text take() { return std::move(out_); }

 private:
  std::string scalar(const Value& value) const {
    if (value.is_none()) return "null";
    if (value.is<bool>()) return value.truth() ? "true" : "false";
    if (value.is<int64_t>()) return std::to_string(value.integer());
    if (value.is<double>()) {
      const double number = value.number();
      if (std::isnan(number)) return "NaN";
      if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
      return float_repr(number);
    }
    evaluator_.defined(value);
    evaluator_.fail(str_cat("expected a value that JSON has, got ", value.type_name()));
  }

  void append_unicode_escape(char32_t unit, bool from_data) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string escape = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) escape.push_back(kDigits[(unit >> shift) & 15U]);
    out_.append(escape, from_data);
  }

  bool is_plain(char32_t code) const {
    return code >= 0x20 && code != '"' && code != '\\' && !(style_.ensure_ascii && code > 0x7E);
  }

  void write_escape(char32_t code, bool from_data) {
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
    static constexpr std::string_view kLetters = "\"\\nrtfb";
    const size_t escape = code < 0x80 ? kEscaped.find(static_cast<char>(code)) : std::string_view::npos;
    if (escape != std::string_view::npos) {
      const char pair[] = {'\\', kLetters[escape]};
      out_.append(std::string_view(pair, 2), from_data);
    } else if (code < 0x10000) {
      append_unicode_escape(code, from_data);
    } else {
      append_unicode_escape(0xD800 + ((code - 0x10000) >> 10U), from_data);
      append_unicode_escape(0xDC00 + ((code - 0x10000) & 0x3FFU), from_data);
    }
  }

  void write_string(const Text& text) {
    evaluator_.charge(static_cast<double>(text.size()) / 4);
    out_.append("\"");
    size_t plain = 0;  // where that begins which is written as it is
    for (size_t position = 0; position < text.size();) {
      const Utf8Char character = utf8_at(text.bytes(), position);
      if (!is_plain(character.code_point)) {
        out_.append(text, plain, position);
        write_escape(character.code_point, text.from_data(position));
        plain = position + character.length;
      }
      position += character.length;
    }
    out_.append(text, plain, text.size());
    out_.append("\"");
  }

  void new_line() {
    if (!style_.indents) return;
    out_.append("\n");
    for (size_t i = 0; i < level_; ++i) out_.append(style_.indent);
  }

  // `write_item(i)` for each of `n` items, in brackets.
  template <class WriteItem>
  void write_items(size_t n, std::string_view open, std::string_view close, const WriteItem& write_item) {
    out_.append(open);
    ++level_;
    for (size_t i = 0; i < n; ++i) {
      if (i > 0) out_.append(style_.item_separator);
      new_line();
      write_item(i);
    }
    --level_;
    if (n > 0) new_line();
    out_.append(close);
  }

  void write_list(const List& list) {
    write_items(list.items.size(), "[", "]", [&](size_t i) { write(list.items[i]); });
  }

  void write_key(const Value& key) {
    if (const Text* text = key.text()) return write_string(*text);
    if (key.list() != nullptr || key.dict() != nullptr) evaluator_.fail("expected a key that JSON has, got a list");
    out_.append(str_cat('"', scalar(key), '"'));
  }

  void write_dict(const Dict& dict) {
    std::vector<std::pair<Value, Value>> items = dict.items;
    evaluator_.charge(static_cast<double>(items.size()));
    if (style_.sort_keys) {
      const auto text_of = [&](const Value& key) { return key.text() != nullptr ? key.text()->bytes() : scalar(key); };
      std::stable_sort(items.begin(), items.end(),
                       [&](const auto& a, const auto& b) { return text_of(a.first) < text_of(b.first); });
    }
    write_items(items.size(), "{", "}", [&](size_t i) {
      write_key(items[i].first);
      out_.append(style_.key_separator);
      write(items[i].second);
    });
  }

  Evaluator& evaluator_;
  const JsonStyle& style_;
  size_t level_ = 0;
  Text out_;
};

}  // namespace

Text to_json(Evaluator& evaluator, const Value& value, const JsonStyle& style) {
  JsonWriter writer(evaluator, style);
  writer.write(value);
  return writer.take();
}

}  // namespace emelex::jinja
