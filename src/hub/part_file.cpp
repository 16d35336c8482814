#include "hub/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "base/small_file.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr int64_t kSaveEvery = int64_t{4} << 20;       // bytes of a part that a kill may lose
constexpr int64_t kMostPartBytes = int64_t{1} << 40;   // far from overflow; no file is larger than four of them
constexpr int64_t kMostParts = int64_t{1} << 22;       // each takes 16 bytes of memory
constexpr size_t kMostStateBytes = size_t{256} << 20;  // a line for each 4 MB of a large file, over many runs

void write_all(int fd, std::string_view text, const std::filesystem::path& file) {
  // In one call: other threads append as well. Of a few bytes some alone are written only where the disk is full.
  errno = ENOSPC;
  const ssize_t n = ::write(fd, text.data(), text.size());
  if (n != static_cast<ssize_t>(text.size())) throw_errno("can't write", file);
}

// "emelex 1 KEY SIZE PART_BYTES", as it was written: the part size of an earlier run holds on.
bool parse_header(const std::string& line, const std::string& key, int64_t size, int64_t* part_bytes) {
  std::istringstream text(line);
  std::string magic, version, found_key, end;
  int64_t found_size = -1;
  if (!(text >> magic >> version >> found_key >> found_size >> *part_bytes >> end)) return false;
  const bool possible = *part_bytes > 0 && *part_bytes <= kMostPartBytes && size / *part_bytes <= kMostParts;
  return magic == "emelex" && version == "1" && found_key == key && found_size == size && possible && end == ".";
}

// The names can be foreseen, so another user who may write there could have put a link to a file of ours in their
// place: what is not a file of this folder alone is removed, and made anew.
FileDescriptor open_own(const std::filesystem::path& file, int flags) {
  for (;;) {
    struct stat status {};
    if (::lstat(file.c_str(), &status) == 0) {
      const bool own = S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == ::geteuid();
      if (!own && ::unlink(file.c_str()) != 0) throw_errno("can't replace", file);
      if (own) {
        FileDescriptor fd = open_file(file, flags | O_NOFOLLOW | O_NONBLOCK);
        struct stat opened {};
        const bool same = ::fstat(fd.get(), &opened) == 0 && opened.st_ino == status.st_ino && opened.st_nlink == 1;
        if (same) return fd;
        continue;
      }
    }
    const int fd = ::open(file.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0) return FileDescriptor(fd);
    if (errno != EEXIST && errno != EINTR) throw_errno("can't create", file);
  }
}

}  // namespace

PartFile::PartFile(const std::filesystem::path& folder, const std::string& stem, const std::string& key, int64_t size,
                   int64_t part_bytes)
    : part_path_(folder / (stem + ".part")),
      state_path_(folder / (stem + ".state")),
      key_(key),
      size_(size),
      part_bytes_(std::clamp(part_bytes, std::max(size / kMostParts, int64_t{1}), kMostPartBytes)),
      part_(open_own(part_path_, O_RDWR)),
      state_(open_own(state_path_, O_RDWR | O_APPEND)) {
  if (!resume()) start_state();
}

std::string PartFile::header() const { return str_cat("emelex 1 ", key_, " ", size_, " ", part_bytes_, " .\n"); }

void PartFile::start_state() {
  n_parts_ = static_cast<size_t>((size_ + part_bytes_ - 1) / part_bytes_);
  have_ = std::make_unique<std::atomic<int64_t>[]>(n_parts_);
  saved_.assign(n_parts_, 0);
  if (::ftruncate(state_.get(), 0) != 0) throw_errno("can't write", state_path_);
  if (::ftruncate(part_.get(), size_) != 0) throw_errno("can't write", part_path_);
  write_all(state_.get(), header(), state_path_);
}

bool PartFile::resume() {
  std::istringstream state;
  try {
    state.str(read_small_file(state_path_, {.most_bytes = kMostStateBytes}));
  } catch (const Error&) {
    return false;
  }
  std::string line;
  int64_t part_bytes = 0;
  if (!std::getline(state, line) || !parse_header(line, key_, size_, &part_bytes)) return false;
  if (::lseek(part_.get(), 0, SEEK_END) != size_) return false;
  part_bytes_ = part_bytes;
  n_parts_ = static_cast<size_t>((size_ + part_bytes_ - 1) / part_bytes_);
  have_ = std::make_unique<std::atomic<int64_t>[]>(n_parts_);
  saved_.assign(n_parts_, 0);
  while (std::getline(state, line)) {
    std::istringstream text(line);
    uint64_t part = 0;
    int64_t have = 0;
    char stop = 0;
    if (!(text >> part >> have >> stop) || stop != '.' || part >= n_parts_) continue;
    std::string more;
    if (text >> more || have < 0 || have > end(part) - begin(part)) continue;
    have_[part] = saved_[part] = have;
  }
  return true;
}

int64_t PartFile::received() const {
  int64_t sum = 0;
  for (size_t i = 0; i < n_parts_; ++i) sum += have_[i].load(std::memory_order_relaxed);
  return sum;
}

int64_t PartFile::ready(int64_t offset) const {
  auto i = static_cast<size_t>(offset / part_bytes_);
  while (i < n_parts_ && complete(i)) ++i;
  return std::max<int64_t>(0, (i < n_parts_ ? position(i) : size_) - offset);
}

void PartFile::write(size_t i, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t n = 0;
    {
      const std::lock_guard lock(writing_);
      n = ::pwrite(part_.get(), bytes.data(), bytes.size(), position(i));
    }
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw_errno("can't write", part_path_);
    have_[i].fetch_add(n, std::memory_order_release);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  if (complete(i) || have_[i] - saved_[i] >= kSaveEvery) save(i);
}

void PartFile::save(size_t i) {
  const int64_t have = have_[i];
  if (have == saved_[i]) return;
  // The line's end comes first as well: the line before may have been cut.
  write_all(state_.get(), str_cat("\n", i, " ", have, ".\n"), state_path_);
  start_sync(part_.get(), begin(i) + saved_[i], have - saved_[i]);
  saved_[i] = have;
}

size_t PartFile::read(int64_t offset, std::span<std::byte> bytes) const {
  for (;;) {
    const ssize_t n = ::pread(part_.get(), bytes.data(), bytes.size(), offset);
    if (n > 0) return static_cast<size_t>(n);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;  // someone cut the file
    throw_errno("can't read", part_path_);
  }
}

void PartFile::restart() {
  // Others may be counting what is there: the counters stay where they are.
  for (size_t i = 0; i < n_parts_; ++i) have_[i] = saved_[i] = 0;
  if (::ftruncate(state_.get(), 0) != 0) throw_errno("can't write", state_path_);
  write_all(state_.get(), header(), state_path_);
}

void PartFile::move_to(const std::filesystem::path& target) {
  sync_file(part_.get(), part_path_);
  if (::rename(part_path_.c_str(), target.c_str()) != 0) throw_errno("can't write", target);
  std::error_code ignored;
  std::filesystem::remove(state_path_, ignored);
  part_ = FileDescriptor();
  state_ = FileDescriptor();
}

}  // namespace emelex
