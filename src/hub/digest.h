#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace emelex {

// A hash over bytes that come bit by bit.
class Digest {
 public:
  enum class Kind { sha1, sha256 };

  explicit Digest(Kind kind);

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }

  // The hash in hexadecimal digits, once and last.
  std::string hex();

 private:
  struct Context;
  struct Free {
    void operator()(Context* context) const;
  };
  std::unique_ptr<Context, Free> context_;
};

}  // namespace emelex
