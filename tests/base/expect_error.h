#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "emelex/error.h"

namespace emelex {

// Runs `fn`, which must throw Error of that code, with a message of one line that begins with "[" and contains `parts`.
template <class Fn>
void expect_error(ErrorCode code, std::initializer_list<std::string_view> parts, const Fn& fn) {
  try {
    fn();
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK_MESSAGE(error.code() == code, message);
    CHECK_MESSAGE(message.substr(0, 1) == "[", message);
    for (const unsigned char c : message) CHECK_MESSAGE((c >= 0x20 && c != 0x7F), message);
    for (const std::string_view part : parts) {
      CHECK_MESSAGE(message.find(part) != std::string::npos, "'" << part << "' is not in: " << message);
    }
    return;
  }
  FAIL_CHECK("no Error was thrown");
}

}  // namespace emelex
