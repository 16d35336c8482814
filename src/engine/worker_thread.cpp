#include "engine/worker_thread.h"

#include <utility>

#include "base/threads.h"

namespace emelex {

WorkerThread::WorkerThread(std::function<void()> at_end, std::function<bool()> step)
    : at_end_(std::move(at_end)), step_(std::move(step)), thread_(start_thread("the engine", [this] { work(); })) {}

WorkerThread::~WorkerThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

std::future<void> WorkerThread::post(std::function<void()> job) {
  std::list<std::packaged_task<void()>> posted;
  auto future = posted.emplace_back(std::move(job)).get_future();
  {
    const std::lock_guard lock(mutex_);
    jobs_.splice(jobs_.end(), posted);
  }
  changed_.notify_one();
  return future;
}

void WorkerThread::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    awake_ = true;
  }
  changed_.notify_one();
}

void WorkerThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || awake_ || !jobs_.empty(); });
    if (!jobs_.empty()) {
      std::list<std::packaged_task<void()>> job;
      job.splice(job.end(), jobs_, jobs_.begin());
      lock.unlock();
      job.front()();
      job.clear();  // what the job holds is freed on this thread
      lock.lock();
    } else if (awake_) {
      awake_ = false;
      lock.unlock();
      const bool more = step_ && step_();
      lock.lock();
      awake_ |= more;
    } else {
      break;
    }
  }
  lock.unlock();
  if (at_end_) at_end_();
}

}  // namespace emelex
