#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "text/jinja/characters.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_ascii_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_octal_digit(char c) { return c >= '0' && c <= '7'; }
bool is_binary_digit(char c) { return c == '0' || c == '1'; }
bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Longest first.
constexpr std::array<std::string_view, 26> kSymbols = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                       "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                       "]",  "{",  "}",  ",",  ".",  ":",  "|", ";"};

class Lexer {
 public:
  explicit Lexer(const Source& source) : source_(source), text_(source.text()) {}

  std::vector<Token> run() {
    while (position_ < text_.size()) read_data();
    add(TokenKind::end, text_.size());
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(size_t offset, std::string_view message) const {
    source_.fail(ErrorCode::corrupt_file, static_cast<uint32_t>(offset), message);
  }

  void add(TokenKind kind, size_t offset, std::string text = {}) {
    tokens_.push_back({kind, static_cast<uint32_t>(offset), std::move(text)});
  }

  bool at(std::string_view what) const { return text_.substr(position_, what.size()) == what; }

  // The next of {{ {% {#, or npos.
  size_t next_tag(size_t from) const {
    for (;; ++from) {
      from = text_.find('{', from);
      if (from == std::string_view::npos || from + 1 >= text_.size()) return std::string_view::npos;
      const char next = text_[from + 1];
      if (next == '{' || next == '%' || next == '#') return from;
    }
  }

  // The text up to the next tag, and that tag.
  void read_data() {
    const size_t tag = next_tag(position_);
    if (tag == std::string_view::npos) {
      add(TokenKind::data, position_, std::string(text_.substr(position_)));
      position_ = text_.size();
      return;
    }
    const char sign = tag + 2 < text_.size() ? text_[tag + 2] : ' ';
    const bool output = text_[tag + 1] == '{';
    std::string data(text_.substr(position_, tag - position_));
    strip_before_tag(data, sign, output);
    if (!data.empty()) add(TokenKind::data, position_, std::move(data));
    const char kind = text_[tag + 1];
    position_ = tag + 2;
    if (sign == '-' || sign == '+') ++position_;
    if (kind == '#') return read_comment(tag);
    if (kind == '%' && read_raw(tag)) return;
    add(output ? TokenKind::output_begin : TokenKind::block_begin, tag);
    read_code(output);
  }

  // "-" takes all white space before a tag; without a sign, a statement or comment takes what indents it.
  void strip_before_tag(std::string& data, char sign, bool output) const {
    if (sign == '-') {
      data.resize(strip_range(data, nullptr, false, true).end);
    } else if (sign != '+' && !output) {
      const size_t newline = data.rfind('\n');
      if (newline == std::string::npos && !line_starts_) return;
      const size_t line = newline == std::string::npos ? 0 : newline + 1;
      const std::string indent = data.substr(line);
      const Range kept = strip_range(indent, nullptr, true, false);
      if (kept.begin == kept.end) data.resize(line);
    }
  }

  void skip_space() {
    const size_t start = position_;
    while (position_ < text_.size()) {
      const Utf8Char character = utf8_at(text_, position_);
      if (!is_space(character.code_point)) break;
      position_ += character.length;
    }
    if (position_ > start) line_starts_ = text_[position_ - 1] == '\n';
  }

  // Goes past the end of a tag and the white space that belongs to it.
  void end_tag(size_t length, char sign, bool output) {
    position_ += length;
    line_starts_ = false;
    if (sign == '-') {
      skip_space();
    } else if (!output && sign != '+' && position_ < text_.size() && text_[position_] == '\n') {
      ++position_;
      line_starts_ = true;
    }
  }

  void read_comment(size_t tag) {
    if (position_ == text_.size()) return;  // nothing is left that could be in it
    const size_t end = text_.find("#}", position_);
    if (end == std::string_view::npos) fail(tag, "expected '#}', got the end");
    const char sign = end > position_ ? text_[end - 1] : ' ';
    position_ = end;
    end_tag(2, sign, false);
  }

  // {% raw %} … {% endraw %}: text whatever is in it. False when the tag is another.
  bool read_raw(size_t tag) {
    const size_t start = position_;
    while (position_ < text_.size() && is_ascii_space(text_[position_])) ++position_;
    if (!at("raw")) return position_ = start, false;
    position_ += 3;
    while (position_ < text_.size() && is_ascii_space(text_[position_])) ++position_;
    const bool strips = at("-%}");
    if (!strips && !at("%}")) return position_ = start, false;
    // Unlike other tags, this one leaves a newline behind it.
    end_tag(strips ? 3 : 2, strips ? '-' : '+', false);

    const size_t begin = position_;
    if (begin == text_.size()) return true;  // nothing is left that could be in it
    for (size_t end = begin; (end = text_.find("{%", end)) != std::string_view::npos; end += 2) {
      position_ = end + 2;
      const char before = position_ < text_.size() ? text_[position_] : ' ';
      if (before == '-' || before == '+') ++position_;
      while (position_ < text_.size() && is_ascii_space(text_[position_])) ++position_;
      if (!at("endraw")) continue;
      position_ += 6;
      while (position_ < text_.size() && is_ascii_space(text_[position_])) ++position_;
      const char after = at("-%}") || at("+%}") ? text_[position_] : ' ';
      if (after == ' ' && !at("%}")) continue;
      std::string data(text_.substr(begin, end - begin));
      strip_before_tag(data, before, false);
      if (!data.empty()) add(TokenKind::data, begin, std::move(data));
      end_tag(after == ' ' ? 2 : 3, after, false);
      return true;
    }
    fail(tag, "expected '{% endraw %}', got the end");
  }

  // What is inside a tag, up to and with its end.
  void read_code(bool output) {
    const std::string_view closer = output ? "}}" : "%}";
    const size_t tag = tokens_.back().offset;
    std::string brackets;
    for (;;) {
      const bool line_starts = line_starts_;
      skip_space();
      line_starts_ = line_starts;
      if (position_ >= text_.size()) fail(tag, str_cat("expected '", closer, "', got the end"));
      if (brackets.empty()) {
        const char sign = text_[position_];
        const bool signed_end = (sign == '-' || (sign == '+' && !output)) && text_.substr(position_ + 1, 2) == closer;
        if (signed_end || at(closer)) {
          add(output ? TokenKind::output_end : TokenKind::block_end, position_);
          return end_tag(signed_end ? 3 : 2, signed_end ? sign : ' ', output);
        }
      }
      read_token(brackets);
    }
  }

  void read_token(std::string& brackets) {
    const char c = text_[position_];
    const size_t start = position_;
    if (is_ascii_digit(c)) return read_number();
    while (position_ < text_.size()) {
      const Utf8Char character = utf8_at(text_, position_);
      if (character.kind != Utf8Char::Kind::valid || !is_name_character(character.code_point)) break;
      position_ += character.length;
    }
    if (position_ > start) return add(TokenKind::name, start, std::string(text_.substr(start, position_ - start)));
    if (c == '"' || c == '\'') return read_string(c);
    for (const std::string_view symbol : kSymbols) {
      if (!at(symbol)) continue;
      if (symbol == "(" || symbol == "[" || symbol == "{") brackets.push_back(symbol[0]);
      if (symbol == ")" || symbol == "]" || symbol == "}") close_bracket(brackets, symbol[0]);
      position_ += symbol.size();
      return add(TokenKind::symbol, start, std::string(symbol));
    }
    fail(start, str_cat("expected an expression, got ", quote_bytes(text_.substr(start, 1))));
  }

  void close_bracket(std::string& brackets, char closing) const {
    const char opening = closing == ')' ? '(' : closing == ']' ? '[' : '{';
    if (brackets.empty() || brackets.back() != opening) {
      fail(position_, str_cat("expected no '", closing, "' here, got one"));
    }
    brackets.pop_back();
  }

  // Digits with single underscores between them.
  void read_digits(std::string& out, bool (*is_digit)(char) = is_ascii_digit) {
    const size_t start = position_;
    while (position_ < text_.size()) {
      const bool underscore = text_[position_] == '_' && position_ + 1 < text_.size() && position_ > start &&
                              is_digit(text_[position_ + 1]);
      if (!is_digit(text_[position_]) && !underscore) break;
      if (!underscore) out.push_back(text_[position_]);
      ++position_;
    }
  }

  // 0x1F, 0o17, 0b11: kept with a prefix in small letters. False where there is none.
  bool read_number_in_base() {
    const size_t start = position_;
    const char letter =
        text_[start] == '0' && start + 2 < text_.size() ? static_cast<char>(text_[start + 1] | 0x20) : ' ';
    bool (*const is_digit)(char) = letter == 'x'   ? is_hex_digit
                                   : letter == 'o' ? is_octal_digit
                                   : letter == 'b' ? is_binary_digit
                                                   : static_cast<bool (*)(char)>(nullptr);
    const size_t first = start + (start + 3 < text_.size() && text_[start + 2] == '_' ? 3 : 2);
    if (is_digit == nullptr || !is_digit(text_[first])) return false;
    std::string digits = {'0', letter};
    position_ = first;
    read_digits(digits, is_digit);
    add(TokenKind::integer, start, std::move(digits));
    return true;
  }

  void read_number() {
    if (read_number_in_base()) return;
    const size_t start = position_;
    const bool is_index = start > 0 && text_[start - 1] == '.';  // "x.0.1" has no 0.1 in it
    std::string digits;
    read_digits(digits);
    if (is_index) return add(TokenKind::integer, start, std::move(digits));
    bool floating = false;
    if (at(".") && position_ + 1 < text_.size() && is_ascii_digit(text_[position_ + 1])) {
      floating = true;
      digits.push_back('.');
      ++position_;
      read_digits(digits);
    }
    if (at("e") || at("E")) {
      const size_t exponent = position_ + 1;
      const bool has_sign = exponent < text_.size() && (text_[exponent] == '-' || text_[exponent] == '+');
      const size_t first = exponent + (has_sign ? 1 : 0);
      if (first < text_.size() && is_ascii_digit(text_[first])) {
        floating = true;
        digits += text_.substr(position_, first - position_);
        position_ = first;
        read_digits(digits);
      }
    }
    if (!floating && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos) {
      fail(start, "expected a number without zeros before it, got one with them");
    }
    add(floating ? TokenKind::floating : TokenKind::integer, start, std::move(digits));
  }

  void read_string(char quote) {
    const size_t start = position_++;
    std::string value;
    while (position_ < text_.size() && text_[position_] != quote) {
      if (text_[position_] == '\\' && position_ + 1 < text_.size()) {
        read_escape(value);
      } else {
        value.push_back(text_[position_++]);
      }
    }
    if (position_ >= text_.size()) fail(start, "expected the string to end, got the end of the template");
    ++position_;
    add(TokenKind::string, start, std::move(value));
  }

  // Python's escapes. One that it does not know stays as it is written.
  void read_escape(std::string& value) {
    const char c = text_[position_ + 1];
    static constexpr std::string_view kLetters = "abfnrtv\\'\"\n";
    static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const size_t letter = kLetters.find(c);
    if (letter != std::string_view::npos) {
      if (letter < kMeanings.size()) value.push_back(kMeanings[letter]);
      position_ += 2;
      return;
    }
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) return read_numeric_escape(value, position_ + 2, digits, 16);
    if (c >= '0' && c <= '7') return read_numeric_escape(value, position_ + 1, 3, 8);
    value.append(text_.substr(position_, 2));
    position_ += 2;
  }

  void read_numeric_escape(std::string& value, size_t first, int most_digits, int base) {
    char32_t code_point = 0;
    int n = 0;
    size_t next = first;
    for (; n < most_digits && next < text_.size(); ++n, ++next) {
      const char c = text_[next];
      const int digit = is_ascii_digit(c)      ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : 99;
      if (digit >= base) break;
      code_point = code_point * static_cast<char32_t>(base) + static_cast<char32_t>(digit);
    }
    const bool complete = base == 8 ? n > 0 : n == most_digits;
    if (!complete || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
      fail(position_, "expected an escape that makes a character, got another");
    }
    append_utf8(value, code_point);
    position_ = next;
  }

  const Source& source_;
  std::string_view text_;
  size_t position_ = 0;
  bool line_starts_ = true;  // nothing but tags stood on this line so far
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(const Source& source) { return Lexer(source).run(); }

}  // namespace emelex::jinja
