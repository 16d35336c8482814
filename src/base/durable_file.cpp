#include "base/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr size_t kRandomDigits = 16;
constexpr std::string_view kTemporaryEnd = ".part";

// Temporary names where a signal handler can read them: fixed memory, and a flag that says which are whole.
struct TemporarySlot {
  std::atomic<bool> taken{false};
  std::atomic<bool> whole{false};
  std::array<char, 4096> path{};
};
std::array<TemporarySlot, 32> temporary_slots;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

// -1 where there is no room: then only a signal handler does not know of the file.
int take_slot(const std::filesystem::path& file) {
  const std::string& path = file.native();
  for (size_t i = 0; i < temporary_slots.size(); ++i) {
    TemporarySlot& slot = temporary_slots[i];
    if (path.size() >= slot.path.size() || slot.taken.exchange(true)) continue;
    std::copy(path.begin(), path.end() + 1, slot.path.begin());
    slot.whole = true;
    return static_cast<int>(i);
  }
  return -1;
}

void give_slot_back(int i) {
  if (i < 0) return;
  temporary_slots[static_cast<size_t>(i)].whole = false;
  temporary_slots[static_cast<size_t>(i)].taken = false;
}

const char* kind_of(mode_t mode) {
  return S_ISLNK(mode)    ? "a link"
         : S_ISDIR(mode)  ? "a folder"
         : S_ISFIFO(mode) ? "a pipe"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

// Replacing anything else would destroy what no file of ours can be.
void check_replaceable(const std::filesystem::path& file, bool replace) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) return;  // what is wrong with the path is said when it is written to
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::invalid_argument, str_cat("[file] expected a regular file to replace, got ",
                                                     kind_of(status.st_mode), ": '", path_text(file), "'"));
  }
  if (!replace) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[file] expected a name that is free, got '", path_text(file), "', which is there already"));
  }
}

FileDescriptor create_temporary(const std::filesystem::path& file, int mode, std::filesystem::path* temporary) {
  for (int tries = 0;; ++tries) {
    *temporary = temporary_name(file);
    const int fd = ::open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd >= 0) return FileDescriptor(fd);
    if (errno != EINTR && (errno != EEXIST || tries > 100)) throw_errno("can't create", file);
  }
}

}  // namespace

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

FileDescriptor open_regular_file(const std::filesystem::path& file) {
  FileDescriptor fd = open_file(file, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("can't read", file);
  if (S_ISREG(status.st_mode)) return fd;
  throw Error(ErrorCode::io,
              str_cat("[file] expected a regular file, got ", kind_of(status.st_mode), ": '", path_text(file), "'"));
}

std::filesystem::path temporary_name(const std::filesystem::path& file) {
  std::random_device random;
  char digits[kRandomDigits + 1];
  std::snprintf(digits, sizeof(digits), "%08x%08x", random(), random());
  return file.parent_path() / str_cat(".", file.filename().string(), ".", digits, kTemporaryEnd);
}

bool is_temporary_name(const std::string& name, const std::string& file) {
  const size_t end = kRandomDigits + kTemporaryEnd.size();
  if (name.size() < end + 3 || name.front() != '.' || !name.ends_with(kTemporaryEnd)) return false;
  const size_t digits = name.size() - end;
  const bool random =
      name[digits - 1] == '.' && name.find_first_not_of("0123456789abcdef", digits) == digits + kRandomDigits;
  return random && (file.empty() || name.substr(1, digits - 2) == file);
}

DurableFile::DurableFile(std::filesystem::path file, const DurableFileOptions& options)
    : file_(std::move(file)), options_(options) {
  check_replaceable(file_, options_.replace);
  fd_ = create_temporary(file_, options_.mode, &temporary_);
  slot_ = take_slot(temporary_);
}

DurableFile::~DurableFile() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove(temporary_, ignored);
  give_slot_back(slot_);
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("can't write", file_);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void DurableFile::take_old_mode() const {
  struct stat old {};
  if (!options_.keep_mode || ::lstat(file_.c_str(), &old) != 0) return;
  // Disks without modes refuse that.
  if (::fchmod(fd_.get(), old.st_mode & 0777U) != 0 && errno != EPERM && errno != ENOTSUP) {
    throw_errno("can't write", file_);
  }
}

void DurableFile::put_in_place() {
  check_replaceable(file_, options_.replace);
  if (options_.replace) {
    if (::rename(temporary_.c_str(), file_.c_str()) != 0) throw_errno("can't write", file_);
    return;
  }
  // Unlike a rename, a link never takes the place of a file that has just appeared.
  if (::link(temporary_.c_str(), file_.c_str()) == 0) {
    ::unlink(temporary_.c_str());
    return;
  }
  if (errno == EEXIST) check_replaceable(file_, false);
  // Some disks have no links; between the last look and the rename another process has a moment there.
  check_replaceable(file_, false);
  if (::rename(temporary_.c_str(), file_.c_str()) != 0) throw_errno("can't write", file_);
}

void DurableFile::commit() {
  take_old_mode();
  sync_file(fd_.get(), file_);
  fd_ = FileDescriptor();
  put_in_place();
  committed_ = true;
  // The new name is itself data, of the folder.
  const std::filesystem::path folder = file_.has_parent_path() ? file_.parent_path() : ".";
  const FileDescriptor folder_fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(folder_fd.get()) != 0 && errno != EINVAL) throw_errno("can't write", folder);
}

void remove_temporary_files() noexcept {
  for (const TemporarySlot& slot : temporary_slots) {
    if (slot.whole) ::unlink(slot.path.data());
  }
}

}  // namespace emelex
