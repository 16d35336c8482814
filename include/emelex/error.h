#pragma once

#include <stdexcept>
#include <string>

namespace emelex {

// The kind of an error, for callers that react to it. Error::what() has the text for people.
enum class ErrorCode {
  invalid_argument,  // the caller passed something that can't be meant
  not_found,         // a file, model or tensor that was named is not there
  corrupt_file,      // a file's content contradicts its format or itself
  unsupported,       // well-formed, but emelex does not know how to run it
  io,                // the operating system refused to read or write
  out_of_memory,     // the work does not fit in the memory allowed
  network,           // a server could not be reached, refused, or can't be trusted
  device,            // the GPU, its driver or its compiler failed
  cancelled,         // the caller asked to stop
  busy,              // more was asked for than may wait; later it may be possible
  internal,          // a bug in emelex
};

// The one exception type that emelex throws. The message is one line of the form "[component] expected X, got Y". It
// names the file where there is one. It can be shown to a user.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace emelex
