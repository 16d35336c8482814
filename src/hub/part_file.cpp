#include "hub/part_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr int64_t kSaveEvery = int64_t{4} << 20;  // bytes of a part that a kill may lose

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
  return magic == "emelex" && version == "1" && found_key == key && found_size == size && *part_bytes > 0 && end == ".";
}

}  // namespace

PartFile::PartFile(const std::filesystem::path& folder, const std::string& stem, const std::string& key, int64_t size,
                   int64_t part_bytes)
    : part_path_(folder / (stem + ".part")),
      state_path_(folder / (stem + ".state")),
      key_(key),
      size_(size),
      part_bytes_(part_bytes),
      part_(open_file(part_path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0644)),
      state_(open_file(state_path_, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0644)) {
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
  std::ifstream state(state_path_);
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
