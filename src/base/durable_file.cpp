#include "base/durable_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

void throw_errno(std::string_view what, const std::filesystem::path& file) {
  const int error = errno;
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found : ErrorCode::io;
  throw Error(code, str_cat("[file] ", what, " '", path_text(file), "': ", std::strerror(error)));
}

FileDescriptor open_file(const std::filesystem::path& file, int flags, int mode) {
  for (;;) {
    const int fd = ::open(file.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return FileDescriptor(fd);
    if (errno != EINTR) throw_errno((flags & O_CREAT) != 0 ? "can't create" : "can't open", file);
  }
}

void sync_file(int fd, const std::filesystem::path& file) {
#ifdef __APPLE__
  if (::fcntl(fd, F_FULLFSYNC) == 0) return;  // there, fsync alone leaves the data in the drive's cache
#endif
  if (::fsync(fd) != 0) throw_errno("can't write", file);
}

void start_sync([[maybe_unused]] int fd, [[maybe_unused]] int64_t offset, [[maybe_unused]] int64_t size) {
#ifdef __linux__
  ::sync_file_range(fd, offset, size, SYNC_FILE_RANGE_WRITE);
#endif
}

DurableFile::DurableFile(std::filesystem::path file)
    : file_(std::move(file)),
      // The process id keeps two writers at once out of each other's way.
      temporary_(file_.parent_path() / str_cat(".", file_.filename().string(), ".", ::getpid(), ".part")),
      fd_(open_file(temporary_, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644)) {}

DurableFile::~DurableFile() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove(temporary_, ignored);
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("can't write", file_);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void DurableFile::commit() {
  sync_file(fd_.get(), file_);
  fd_ = FileDescriptor();
  if (::rename(temporary_.c_str(), file_.c_str()) != 0) throw_errno("can't write", file_);
  committed_ = true;
  // The new name is itself data, of the folder.
  const std::filesystem::path folder = file_.has_parent_path() ? file_.parent_path() : ".";
  const FileDescriptor folder_fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(folder_fd.get()) != 0 && errno != EINVAL) throw_errno("can't write", folder);
}

}  // namespace emelex
