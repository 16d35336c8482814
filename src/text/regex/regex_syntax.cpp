#include "text/regex/regex_syntax.h"

namespace emelex {
namespace {

constexpr std::string_view kSpace =
    R"(\t-\r\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{d7ff}\x{e000}-\x{10ffff})";

// What is alphabetic (letters, and some symbols), marks, decimal digits, connectors; and the superscripts and fractions
// of Latin-1, which Oniguruma counts in.
constexpr std::string_view kWord =
    R"(\p{L}\p{Nl}\p{M}\p{Nd}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})"
    R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
constexpr std::string_view kHex = "0-9A-Fa-f";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  std::optional<std::string> run() {
    while (!rest_.empty()) {
      if (rest_[0] == '\\') {
        if (!take_escape()) return std::nullopt;
      } else if (depth_ > 0) {
        if (!take_in_class()) return std::nullopt;
      } else {
        if (rest_[0] == '[')
          open_class();
        else
          take(1);
      }
    }
    return std::move(out_);
  }

 private:
  void take(size_t n) {
    out_ += rest_.substr(0, n);
    rest_.remove_prefix(n);
  }

  void open_class() {
    take(1);
    depth_ = 1;
    if (rest_.starts_with('^')) take(1);
    if (rest_.starts_with(']')) take(1);  // a bracket, as the first thing in a class
  }

  bool take_in_class() {
    if (rest_.starts_with("&&") || rest_.starts_with("[^")) return false;
    if (rest_.starts_with("[:")) {
      const size_t end = rest_.find(":]");
      take(end == std::string_view::npos ? rest_.size() : end + 2);
    } else if (rest_[0] == '[') {
      ++depth_;
      rest_.remove_prefix(1);  // one class within another adds to it
    } else if (rest_[0] == ']' && --depth_ > 0) {
      rest_.remove_prefix(1);
    } else {
      take(1);
    }
    return true;
  }

  bool take_escape() {
    if (rest_.size() < 2) return take(1), true;  // PCRE2 will say what is wrong
    switch (rest_[1]) {
      case 's':
        return spell(kSpace, false);
      case 'S':
        return depth_ > 0 ? spell(kNotSpace, false) : spell(kSpace, true);
      case 'w':
        return spell(kWord, false);
      case 'W':
        return spell(kWord, true);
      case 'h':
        return spell(kHex, false);
      case 'H':
        return spell(kHex, true);
      default:
        take(2);
        return true;
    }
  }

  bool spell(std::string_view set, bool negated) {
    if (negated && depth_ > 0) return false;
    rest_.remove_prefix(2);
    if (depth_ == 0) out_ += negated ? "[^" : "[";
    out_ += set;
    if (depth_ == 0) out_ += ']';
    return true;
  }

  std::string_view rest_;
  std::string out_;
  int depth_ = 0;  // of classes
};

}  // namespace

std::optional<std::string> translate_regex(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace emelex
