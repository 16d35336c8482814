#pragma once

#include <string_view>

#include "cli/terminal_filter.h"

namespace emelex::cli {

// A file descriptor to write results to. Every write is on its way before the call returns, so text appears as it is
// made, and nothing that goes wrong is overlooked. A terminal gets what TerminalFilter leaves of it: results hold what
// models and files say. Elsewhere every byte is as it was.
class Output {
 public:
  explicit Output(int fd) : fd_(fd), terminal_(is_terminal()) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  // Returns false, now and from now on, once nobody reads the other end of the pipe any more: time to stop quietly.
  // Throws Error(io) on every other failure, such as a full disk.
  bool write(std::string_view text);

  bool reader_left() const { return reader_left_; }
  bool is_terminal() const;

 private:
  bool write_all(std::string_view text);

  int fd_;
  bool terminal_;
  TerminalFilter filter_;
  bool reader_left_ = false;
};

// The process's stdout.
Output& standard_output();

// Opens what is closed of stdin, stdout and stderr, so that no file opened later gets its number. Reading such a stdin
// gives nothing; writing to such a stdout is an error.
void guard_standard_streams();

// Has all files and folders that this process makes be writable by their owner alone, whatever mask the shell has set.
void limit_file_modes();

}  // namespace emelex::cli
