#include "base/strings.h"

#include <charconv>
#include <cstdio>

namespace emelex {

MessagePart::MessagePart(long long x, Number /*tag*/) {
  const auto end = std::to_chars(number_, number_ + sizeof(number_), x).ptr;
  text_ = {number_, static_cast<size_t>(end - number_)};
}

MessagePart::MessagePart(unsigned long long x, Number /*tag*/) {
  const auto end = std::to_chars(number_, number_ + sizeof(number_), x).ptr;
  text_ = {number_, static_cast<size_t>(end - number_)};
}

// Not by to_chars, which some systems' libraries have for whole numbers alone.
MessagePart::MessagePart(double x) {
  const int length = std::snprintf(number_, sizeof(number_), "%g", x);
  text_ = {number_, static_cast<size_t>(length)};
}

std::string join_parts(std::initializer_list<MessagePart> parts) {
  size_t length = 0;
  for (const MessagePart& part : parts) length += part.text().size();
  std::string out;
  out.reserve(length);
  for (const MessagePart& part : parts) out += part.text();
  return out;
}

std::string quote_bytes(std::string_view bytes) {
  constexpr size_t kMostBytes = 80;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : bytes.substr(0, kMostBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out + (bytes.size() > kMostBytes ? "...'" : "'");
}

std::string path_text(const std::filesystem::path& path) {
  std::string out = path.string();
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

}  // namespace emelex
