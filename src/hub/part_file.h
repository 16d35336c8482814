#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/durable_file.h"

namespace emelex {

// A file on its way, in parts that may come in any order, by different threads, over several runs of the program.
//
// <stem>.part holds the bytes where they belong. <stem>.state says which are there: a line that names the file, then
// one line each time that a part has grown, "3 1048576." for a megabyte of part 3; the last one counts. Lines are only
// added, and what is no whole line is passed over, so that a process may be killed at any moment. After a power cut
// lines may speak of bytes that never reached the disk: the file's hash tells, and then all is fetched again.
class PartFile {
 public:
  // Goes on with what lies in `folder` when it is a file of that `key` (what the state must say, one line) and size.
  PartFile(const std::filesystem::path& folder, const std::string& stem, const std::string& key, int64_t size,
           int64_t part_bytes);

  int64_t size() const { return size_; }
  size_t n_parts() const { return n_parts_; }

  // What part `i` covers: [begin, end); and where it goes on.
  int64_t begin(size_t i) const { return static_cast<int64_t>(i) * part_bytes_; }
  int64_t end(size_t i) const { return std::min(size_, begin(i) + part_bytes_); }
  int64_t position(size_t i) const { return begin(i) + have_[i].load(std::memory_order_acquire); }
  bool complete(size_t i) const { return position(i) == end(i); }

  int64_t received() const;             // bytes that are there
  int64_t ready(int64_t offset) const;  // bytes that are there from `offset` on without a gap

  // The next bytes of part `i`, which one thread at a time writes. Throws Error(io).
  void write(size_t i, std::span<const std::byte> bytes);
  // Puts down how far part `i` is. write() does so by itself every few megabytes and at a part's end.
  void save(size_t i);

  // Bytes that are there, from `offset`: as many as fit.
  size_t read(int64_t offset, std::span<std::byte> bytes) const;

  // Forgets all that is there.
  void restart();

  // Puts the file on the disk and under its real name. The last thing to do with it.
  void move_to(const std::filesystem::path& target);

 private:
  std::string header() const;
  bool resume();
  void start_state();

  std::filesystem::path part_path_;
  std::filesystem::path state_path_;
  std::string key_;
  int64_t size_ = 0;
  int64_t part_bytes_ = 0;
  size_t n_parts_ = 0;
  FileDescriptor part_;
  std::mutex writing_;  // the system lets one write to a file at a time, and others spin for it on their cores
  FileDescriptor state_;
  std::unique_ptr<std::atomic<int64_t>[]> have_;  // bytes of each part
  std::vector<int64_t> saved_;                    // as `have_` was when it was put down
};

}  // namespace emelex
