#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "hub/hub_client.h"
#include "hub/part_file.h"

namespace emelex {

// A file that is being fetched. What is below `file` is guarded by PartQueue's mutex.
struct FileJob {
  FileJob(const RemoteFile& remote_file, const std::filesystem::path& folder, const std::string& stem,
          int64_t part_bytes)
      : remote(remote_file), file(folder, stem, remote_file.hash, remote_file.size, part_bytes) {}

  const RemoteFile remote;
  PartFile file;

  size_t parts_left = 0;             // not yet complete
  int active = 0;                    // threads at work on it
  std::string location;              // where the hub sent us; may expire
  std::map<std::string, int> etags;  // what servers called it → how often
  int ranges_ignored = 0;            // answers with all of the file, in a row
  bool no_ranges = false;            // it can only be had in one go
  std::atomic<bool> checked{false};  // whole, right and under its real name
};

struct PartTask {
  FileJob* job = nullptr;
  size_t part = 0;
};

// The parts that are still to be fetched, in order, and how the whole work stands. All of it is for any thread.
class PartQueue {
 public:
  // Puts all incomplete parts of a file at the end.
  void add(FileJob& job);

  // The next part, waiting for one; none when the work is over.
  std::optional<PartTask> next();
  // The part after `task`, for a thread that is reading on in the same answer; false when it is not to be fetched.
  bool take_following(PartTask& task);
  // What came of a part.
  void done(const PartTask& task, bool complete);

  // Waits until `ready` (called under the mutex) or the work is over; returns false in the latter case.
  template <class Ready>
  bool wait(const Ready& ready) {
    std::unique_lock lock(mutex_);
    // Bytes that come don't wake anyone, parts do: hence the time.
    while (!over_ && !ready()) changed_.wait_for(lock, std::chrono::milliseconds(20));
    return !over_;
  }

  // Ends the work, at a failure's first call with it.
  void fail(std::exception_ptr failure);
  void finish();

  bool over() const { return over_; }
  // Set when the work is over: transfers and waits watch it.
  const std::atomic<bool>& over_flag() const { return over_; }
  // Waits up to 100 ms for the end of the work; throws the failure when there was one.
  bool wait_for_end();

  // Locks what FileJob says is guarded.
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PartTask> tasks_;
  std::atomic<bool> over_{false};
  std::exception_ptr failure_;
};

}  // namespace emelex
