#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "emelex/error.h"

namespace emelex::cli {

Output::~Output() {
  try {
    if (terminal_) write_all(filter_.finish());
  } catch (const Error&) {
    return;  // it is too late to complain
  }
}

bool Output::write(std::string_view text) { return write_all(terminal_ ? filter_.add(text) : std::string(text)); }

bool Output::write_all(std::string_view text) {
  while (!text.empty() && !reader_left_) {
    const ssize_t n = ::write(fd_, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      reader_left_ = true;
    } else if (errno == EBADF) {
      throw Error(ErrorCode::io, "[stdout] can't write the result: stdout is closed");
    } else if (errno != EINTR) {
      throw Error(ErrorCode::io, std::string("[stdout] can't write the result: ") + std::strerror(errno));
    }
  }
  return !reader_left_;
}

bool Output::is_terminal() const { return ::isatty(fd_) != 0; }

Output& standard_output() {
  static Output output(STDOUT_FILENO);
  return output;
}

void guard_standard_streams() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is `fd`. A stdout that can only be read makes write() fail with EBADF, as it should.
    (void)::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void limit_file_modes() {
  constexpr mode_t kOthersMayWrite = 022;
  ::umask(::umask(0) | kOthersMayWrite);
}

}  // namespace emelex::cli
