#include "cli/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/signal.h"
#include "emelex/error.h"

namespace emelex::cli {
namespace {

// More than any context holds; what has no end, such as /dev/zero, must not take all memory. Pipes are read: a shell's
// <(command) is one.
constexpr size_t kMostBytes = size_t{1} << 30;

std::string read_all(int fd, const std::string& name) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n > 0) {
      text.append(buffer, static_cast<size_t>(n));
      if (text.size() > kMostBytes) {
        throw Error(ErrorCode::invalid_argument, "[input] expected at most 1 GB of text, got more from " + name);
      }
    } else if (n == 0) {
      return text;
    } else if (errno != EINTR) {
      throw Error(ErrorCode::io, "[input] can't read " + name + ": " + std::strerror(errno));
    }
    if (interrupt_flag()) throw Error(ErrorCode::cancelled, "[input] interrupted while reading " + name);
  }
}

}  // namespace

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) != 0; }

std::string read_stdin() { return read_all(STDIN_FILENO, "stdin"); }

std::string read_text_file(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io;
    throw Error(code, "[input] can't open '" + file + "': " + std::strerror(errno));
  }
  try {
    std::string text = read_all(fd, "'" + file + "'");
    ::close(fd);
    return text;
  } catch (...) {
    ::close(fd);
    throw;
  }
}

}  // namespace emelex::cli
