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

// Opens a file to read it, and refuses all but regular files: opening a pipe waits for a writer, and a device may have
// no end. Throws Error(not_found) or Error(io).
FileDescriptor open_regular_file(const std::filesystem::path& file);

// Puts what was written to a file on the disk, and waits for that. Throws Error.
void sync_file(int fd, const std::filesystem::path& file);

// Has the system begin to put [offset, offset + size) on the disk, so that sync_file need not wait so long. Only a
// hint.
void start_sync(int fd, int64_t offset, int64_t size);

// "/folder/.model.gguf.0123456789abcdef.part": a name beside `file` that nobody can foresee.
std::filesystem::path temporary_name(const std::filesystem::path& file);

// Whether temporary_name(file) could have made that name, or, for an empty `file`, for any file.
bool is_temporary_name(const std::string& name, const std::string& file = {});

struct DurableFileOptions {
  int mode = 0644;        // of a new file, less what the process's umask takes away
  bool keep_mode = true;  // a file that is replaced hands its mode on; false: `mode` in any case
  bool replace = true;    // false: a file of that name is an error, also one that appears before commit()
};

// Writes a file under a temporary name beside it. Nothing is seen under the real name until commit(), which puts it on
// the disk first; without commit() the temporary file is removed. A crash leaves either the old file or the new one.
// Only a regular file is ever replaced: a link, a pipe or a device of that name is an Error(invalid_argument).
class DurableFile {
 public:
  explicit DurableFile(std::filesystem::path file, const DurableFileOptions& options = {});
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;
  ~DurableFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  void commit();

 private:
  void take_old_mode() const;
  void put_in_place();

  std::filesystem::path file_;
  DurableFileOptions options_;
  std::filesystem::path temporary_;
  int slot_ = -1;  // where a signal handler finds the temporary name
  FileDescriptor fd_;
  bool committed_ = false;
};

// Removes the temporary files of this process's DurableFiles. For a signal handler that ends the process: it only calls
// functions that are safe there.
void remove_temporary_files() noexcept;

}  // namespace emelex
