#include "emelex/format.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace emelex::cli {
namespace {

std::string with_unit(double value, const std::array<std::string_view, 5>& units) {
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fixed(value, unit == 0 ? 0 : 1).append(units[unit]);
}

bool is_continuation(unsigned char c) { return (c & 0xC0U) == 0x80U; }

}  // namespace

std::string human_bytes(int64_t bytes) {
  return with_unit(static_cast<double>(bytes), {" B", " kB", " MB", " GB", " TB"});
}

std::string human_count(int64_t count) { return with_unit(static_cast<double>(count), {"", "k", "M", "B", "T"}); }

std::string fixed(double value, int digits) {
  char text[64];
  const int length = std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return length > 0 && length < static_cast<int>(sizeof(text)) ? text : "?";
}

std::string one_line(std::string_view text) {
  std::string line;
  for (char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return line;
}

int utf8_length(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const int length = lead >= 0xC2 && lead < 0xE0   ? 2
                     : lead >= 0xE0 && lead < 0xF0 ? 3
                     : lead >= 0xF0 && lead < 0xF5 ? 4
                                                   : 0;
  if (length == 0 || text.size() < static_cast<size_t>(length)) return 0;
  for (int i = 1; i < length; ++i) {
    if (!is_continuation(at(static_cast<size_t>(i)))) return 0;
  }
  const bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
  const bool surrogate = lead == 0xED && at(1) >= 0xA0;
  const bool past_unicode = lead == 0xF4 && at(1) >= 0x90;
  return overlong || surrogate || past_unicode ? 0 : length;
}

std::string escape_bytes(std::string_view bytes) {
  std::string text = "\"";
  while (!bytes.empty()) {
    const auto c = static_cast<unsigned char>(bytes[0]);
    int length = utf8_length(bytes);
    if (c == '"' || c == '\\') {
      text.append("\\").append(bytes.substr(0, 1));
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (c == '\r') {
      text += "\\r";
    } else if (length == 0 || c < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned>(c));
      text += escape;
      length = 1;
    } else {
      text += bytes.substr(0, static_cast<size_t>(length));
    }
    bytes.remove_prefix(static_cast<size_t>(length));
  }
  return text + "\"";
}

}  // namespace emelex::cli
