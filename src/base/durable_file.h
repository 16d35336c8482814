#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace emelex {

// Owns an open file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

 private:
  int fd_;
};

// Throws Error of the kind that errno says: "[file] can't read 'model.gguf': Permission denied".
[[noreturn]] void throw_errno(std::string_view what, const std::filesystem::path& file);

// open(2) with close-on-exec. Throws Error.
FileDescriptor open_file(const std::filesystem::path& file, int flags, int mode = 0);

// Puts what was written to a file on the disk, and waits for that. Throws Error.
void sync_file(int fd, const std::filesystem::path& file);

// Has the system begin to put [offset, offset + size) on the disk, so that sync_file need not wait so long. Only a
// hint.
void start_sync(int fd, int64_t offset, int64_t size);

// Writes a file under a temporary name beside it. Nothing is seen under the real name until commit(), which puts it on
// the disk first; without commit() the temporary file is removed. A crash leaves either the old file or the new one.
class DurableFile {
 public:
  explicit DurableFile(std::filesystem::path file);
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;
  ~DurableFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  void commit();

 private:
  std::filesystem::path file_;
  std::filesystem::path temporary_;
  FileDescriptor fd_;
  bool committed_ = false;
};

}  // namespace emelex
