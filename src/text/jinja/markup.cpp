#include "text/jinja/markup.h"

#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "text/jinja/characters.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

constexpr std::array<std::pair<char, std::string_view>, 5> kEscapes = {
    {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}}};

// The character of a reference such as "amp" or "#39", which has no & and ; any more; 0 for one that is not known here.
char32_t referenced(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, char32_t>, 6> kNames = {
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xA0}}};
  for (const auto& [known, character] : kNames) {
    if (name == known) return character;
  }
  if (!name.starts_with('#')) return 0;
  const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
  uint32_t code = 0;
  const char* begin = name.data() + (hex ? 2 : 1);
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(begin, end, code, hex ? 16 : 10);
  const bool valid =
      parsed.ec == std::errc() && parsed.ptr == end && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  return valid ? code : 0;
}

// Without what stands between `open` and `close`; an `open` without end stays.
Text without(const Text& text, std::string_view open, std::string_view close) {
  const std::string& bytes = text.bytes();
  Text out;
  size_t begin = 0;
  for (;;) {
    const size_t from = bytes.find(open, begin);
    const size_t to = from == std::string::npos ? from : bytes.find(close, from);
    if (to == std::string::npos) break;
    out.append(text, begin, from);
    begin = to + close.size();
  }
  out.append(text, begin, bytes.size());
  return out;
}

Text with_single_spaces(const Text& text) {
  const std::string& bytes = text.bytes();
  Text out;
  bool between = false;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    if (is_space(character.code_point)) {
      between = true;
    } else {
      if (std::exchange(between, false) && !out.empty()) out.append(" ");
      out.append(text, at, at + character.length);
    }
    at += character.length;
  }
  return out;
}

Text unescape_html(const Text& text) {
  constexpr size_t kLongestReference = 10;
  const std::string& bytes = text.bytes();
  Text out;
  size_t begin = 0;
  for (size_t at = 0; (at = bytes.find('&', at)) != std::string::npos;) {
    const size_t end = bytes.substr(at, kLongestReference).find(';');
    const char32_t character =
        end == std::string::npos ? 0 : referenced(std::string_view(bytes).substr(at + 1, end - 1));
    if (character == 0) {
      ++at;
      continue;
    }
    out.append(text, begin, at);
    std::string encoded;
    append_utf8(encoded, character);
    out.append(encoded, text.from_data(at));
    begin = at = at + end + 1;
  }
  out.append(text, begin, bytes.size());
  return out;
}

}  // namespace

Text escape_html(const Text& text) {
  if (text.is_markup()) return text;
  const std::string& bytes = text.bytes();
  Text out;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const auto& [sign, reference] : kEscapes) {
      if (bytes[at] != sign) continue;
      out.append(text, begin, at);
      out.append(reference, text.from_data(at));
      begin = at + 1;
    }
  }
  out.append(text, begin, bytes.size());
  return out.as_markup();
}

Text strip_tags(const Text& text) {
  return unescape_html(with_single_spaces(without(without(text, "<!--", "-->"), "<", ">")));
}

Text quote_url(const Text& text, std::string_view safe, bool query) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  const std::string& bytes = text.bytes();
  Text out;
  for (size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos ||
                       safe.find(c) != std::string_view::npos;
    if (plain) {
      out.append(text, at, at + 1);
    } else if (c == ' ' && query) {
      out.append("+", text.from_data(at));
    } else {
      const char escape[] = {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
      out.append(std::string_view(escape, 3), text.from_data(at));
    }
  }
  return out;
}

}  // namespace emelex::jinja
