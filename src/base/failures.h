#pragma once

#include <string_view>

#include "emelex/error.h"

namespace emelex {

// Throws the exception that is being handled as an Error of one line: itself where it is one already; out_of_memory for
// std::bad_alloc and where the system has no resources; io for the file system's; `otherwise` for all else. To be
// called from a catch block. `component` is for the message: "engine".
[[noreturn]] void rethrow_as_error(std::string_view component, ErrorCode otherwise = ErrorCode::internal);

// Calls work() and gives what it gives. Whatever it throws arrives as an Error. For the entries of the public API.
template <class Work>
auto with_errors(std::string_view component, const Work& work) {
  try {
    return work();
  } catch (...) {
    rethrow_as_error(component);
  }
}

}  // namespace emelex
