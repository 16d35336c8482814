#pragma once

#include <cstddef>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>

namespace emelex {

// "a", 1, "b" → "a1b". For messages, not for hot paths.
template <class... Parts>
std::string str_cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Bytes from a file, fit for one line of a message and for a terminal: in quotes, everything but printable ASCII as
// \x1b, and cut where nobody reads on.
inline std::string quote_bytes(std::string_view bytes) {
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

// A path for a message: as it is, but on one line whatever its name holds.
inline std::string path_text(const std::filesystem::path& path) {
  std::string out = path.string();
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

}  // namespace emelex
