#include "base/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/durable_file.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr size_t kLeastRoom = 4096;
constexpr size_t kMostRoom = size_t{1} << 20;

[[noreturn]] void too_long(const std::filesystem::path& file, size_t most_bytes) {
  throw Error(ErrorCode::unsupported, str_cat("[file] expected at most ", most_bytes, " bytes, got more in '",
                                              path_text(file), "'; it is no file of this kind"));
}

}  // namespace

std::string read_small_file(const std::filesystem::path& file, const SmallFileOptions& options) {
  const FileDescriptor input = open_regular_file(file);
  std::string text;
  for (size_t room = kLeastRoom;; room = std::min(room * 2, kMostRoom)) {
    if (options.cancel != nullptr && *options.cancel) throw Error(ErrorCode::cancelled, "[file] interrupted");
    const size_t had = text.size();
    text.resize(had + room);
    const ssize_t n = ::read(input.get(), text.data() + had, room);
    text.resize(had + static_cast<size_t>(std::max<ssize_t>(0, n)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("can't read", file);
    if (n == 0) return text;
    if (text.size() > options.most_bytes) too_long(file, options.most_bytes);
  }
}

}  // namespace emelex
