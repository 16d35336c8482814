#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace emelex {

// A part of a message: text, a character or a number. Refers to the text that it was made of.
class MessagePart {
 public:
  MessagePart(std::string_view text) : text_(text) {}     // NOLINT(google-explicit-constructor)
  MessagePart(const char* text) : text_(text) {}          // NOLINT(google-explicit-constructor)
  MessagePart(const std::string& text) : text_(text) {}   // NOLINT(google-explicit-constructor)
  MessagePart(char c) : number_{c}, text_(number_, 1) {}  // NOLINT(google-explicit-constructor)
  MessagePart(bool x) : MessagePart(x ? '1' : '0') {}     // NOLINT(google-explicit-constructor)
  MessagePart(double x);                                  // NOLINT(google-explicit-constructor)
  template <std::signed_integral T>
  MessagePart(T x) : MessagePart(static_cast<long long>(x), Number()) {}  // NOLINT(google-explicit-constructor)
  template <std::unsigned_integral T>
  MessagePart(T x)
      : MessagePart(static_cast<unsigned long long>(x), Number()) {}  // NOLINT(google-explicit-constructor)
  // Other things have no one form in a message. A path is put in by path_text.
  template <class T>
  requires std::is_class_v<T> MessagePart(const T& x)
  = delete;
  MessagePart(const MessagePart&) = delete;
  MessagePart& operator=(const MessagePart&) = delete;

  std::string_view text() const { return text_; }

 private:
  struct Number {};
  MessagePart(long long x, Number);
  MessagePart(unsigned long long x, Number);

  char number_[32];
  std::string_view text_;
};

std::string join_parts(std::initializer_list<MessagePart> parts);

// "a", 1, "b" → "a1b". Numbers have up to 6 digits that count, as printf's %g. For messages, not for hot paths.
template <class... Parts>
std::string str_cat(const Parts&... parts) {
  return join_parts({MessagePart(parts)...});
}

// Bytes from a file, fit for one line of a message and for a terminal: in quotes, everything but printable ASCII as
// \x1b, and cut where nobody reads on.
std::string quote_bytes(std::string_view bytes);

// A path for a message: as it is, but on one line whatever its name holds.
std::string path_text(const std::filesystem::path& path);

}  // namespace emelex
