#pragma once

#include <string_view>

namespace emelex::cli {

// A file descriptor to write results to. Every write is on its way before the call returns, so text appears as it is
// made, and nothing that goes wrong is overlooked.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}

  // Returns false, now and from now on, once nobody reads the other end of the pipe any more: time to stop quietly.
  // Throws Error(io) on every other failure, such as a full disk.
  bool write(std::string_view text);

  bool reader_left() const { return reader_left_; }
  bool is_terminal() const;

 private:
  int fd_;
  bool reader_left_ = false;
};

// The process's stdout.
Output& standard_output();

// Opens what is closed of stdin, stdout and stderr, so that no file opened later gets its number. Reading such a stdin
// gives nothing; writing to such a stdout is an error.
void guard_standard_streams();

}  // namespace emelex::cli
