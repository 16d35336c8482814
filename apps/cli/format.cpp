#include "cli/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iterator>

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

// Characters past ASCII that a terminal acts upon: the control characters of ISO 6429, line and paragraph ends, and
// what turns the direction of writing, by which text can look like another.
bool acts_on_terminals(std::string_view character) {
  constexpr std::string_view kEach[] = {"\xD8\x9C",     "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                        "\xE2\x80\xAA", "\xE2\x80\xAB", "\xE2\x80\xAC", "\xE2\x80\xAD", "\xE2\x80\xAE",
                                        "\xE2\x81\xA6", "\xE2\x81\xA7", "\xE2\x81\xA8", "\xE2\x81\xA9"};
  const bool is_c1 = character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
  return is_c1 || std::find(std::begin(kEach), std::end(kEach), character) != std::end(kEach);
}

// The length of the character at the beginning of `text`, or 0 where that must not reach a terminal.
int printable_length(std::string_view text) {
  const int length = utf8_length(text);
  if (length > 1) return acts_on_terminals(text.substr(0, static_cast<size_t>(length))) ? 0 : length;
  return length == 0 || static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F ? 0 : 1;
}

std::string escaped_byte(char byte) {
  char escape[8];
  std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return escape;
}

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
  while (!text.empty()) {
    const int length = printable_length(text);
    line += length == 0 ? "?" : text.substr(0, static_cast<size_t>(length));
    text.remove_prefix(static_cast<size_t>(std::max(length, 1)));
  }
  return line;
}

std::string ascii_escapes(std::string json) {
  const auto needs_it = [&json](size_t i, int length) {
    return json[i] == 0x7F ||
           (length > 1 && acts_on_terminals(std::string_view(json).substr(i, static_cast<size_t>(length))));
  };
  std::string text;
  for (size_t i = 0; i < json.size();) {
    const int length = std::max(1, utf8_length(std::string_view(json).substr(i)));
    if (!needs_it(i, length)) {
      text.append(json, i, static_cast<size_t>(length));
    } else {
      unsigned code = length == 1 ? 0x7F : static_cast<unsigned char>(json[i]) & (length == 2 ? 0x1FU : 0x0FU);
      for (int k = 1; k < length; ++k)
        code = code << 6 | (static_cast<unsigned char>(json[i + static_cast<size_t>(k)]) & 0x3FU);
      char escape[16];
      std::snprintf(escape, sizeof(escape), "\\u%04x", code);
      text += escape;
    }
    i += static_cast<size_t>(length);
  }
  return text;
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
    const char c = bytes[0];
    const int length = printable_length(bytes);
    if (c == '"' || c == '\\') {
      text.append("\\").append(1, c);
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (c == '\r') {
      text += "\\r";
    } else {
      text += length == 0 ? escaped_byte(c) : std::string(bytes.substr(0, static_cast<size_t>(length)));
    }
    bytes.remove_prefix(static_cast<size_t>(std::max(length, 1)));
  }
  return text + "\"";
}

std::string printable_lines(std::string_view text) {
  // Marks say how neighbours are to be written, and Arabic and Hebrew text has them; unlike overrides they turn
  // nothing.
  constexpr std::string_view kMarks[] = {"\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F"};
  std::string lines;
  while (!text.empty()) {
    if (text.starts_with("\r\n")) text.remove_prefix(1);
    int length = text[0] == '\n' || text[0] == '\t' ? 1 : printable_length(text);
    for (const std::string_view mark : kMarks) {
      if (text.starts_with(mark)) length = static_cast<int>(mark.size());
    }
    lines += length == 0 ? escaped_byte(text[0]) : std::string(text.substr(0, static_cast<size_t>(length)));
    text.remove_prefix(static_cast<size_t>(std::max(length, 1)));
  }
  return lines;
}

}  // namespace emelex::cli
