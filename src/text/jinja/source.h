#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "emelex/error.h"

namespace emelex::jinja {

// A template's text, and how to speak about places in it.
class Source {
 public:
  // `name` is the file it is from. The text's line ends become "\n", and one at the very end is dropped, as Jinja does.
  Source(std::string_view text, std::string name);

  const std::string& text() const { return text_; }

  // Throws Error: "[chat template] MESSAGE at line L, column C of NAME".
  [[noreturn]] void fail(ErrorCode code, uint32_t offset, std::string_view message) const;

 private:
  std::string text_;
  std::string name_;
};

}  // namespace emelex::jinja
