#include "hub/part_queue.h"

#include <algorithm>

namespace emelex {

void PartQueue::add(FileJob& job) {
  const auto locked = lock();
  job.parts_left = 0;
  for (size_t i = 0; i < job.file.n_parts(); ++i) {
    if (job.file.complete(i)) continue;
    tasks_.push_back({&job, i});
    ++job.parts_left;
  }
  changed_.notify_all();
}

std::optional<PartTask> PartQueue::next() {
  auto locked = lock();
  for (;;) {
    if (over_) return {};
    const auto found = std::find_if(tasks_.begin(), tasks_.end(),
                                    [](const PartTask& task) { return !task.job->no_ranges || task.job->active == 0; });
    if (found != tasks_.end()) {
      const PartTask task = *found;
      tasks_.erase(found);
      ++task.job->active;
      return task;
    }
    changed_.wait(locked);
  }
}

bool PartQueue::take_following(PartTask& task) {
  const auto locked = lock();
  const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const PartTask& other) {
    return other.job == task.job && other.part > task.part;
  });
  if (found == tasks_.end()) return false;
  --task.job->parts_left;
  task.part = found->part;
  tasks_.erase(found);
  return true;
}

void PartQueue::done(const PartTask& task, bool complete) {
  const auto locked = lock();
  --task.job->active;
  if (complete) {
    --task.job->parts_left;
  } else {
    tasks_.push_front(task);
  }
  changed_.notify_all();
}

void PartQueue::fail(std::exception_ptr failure) {
  const auto locked = lock();
  if (!over_) failure_ = std::move(failure);
  over_ = true;
  changed_.notify_all();
}

void PartQueue::finish() {
  const auto locked = lock();
  over_ = true;
  changed_.notify_all();
}

bool PartQueue::wait_for_end() {
  auto locked = lock();
  changed_.wait_for(locked, std::chrono::milliseconds(100), [this] { return over_.load(); });
  if (failure_) std::rethrow_exception(failure_);
  return over_;
}

}  // namespace emelex
