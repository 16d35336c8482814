#include "engine/worker_thread.h"

#include <utility>

#include "base/threads.h"

namespace emelex {

WorkerThread::WorkerThread(std::function<void()> at_end)
    : at_end_(std::move(at_end)), thread_(start_thread("the engine", [this] { work(); })) {}

WorkerThread::~WorkerThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

WorkerThread::PreparedJob WorkerThread::prepare(std::function<void()> job) {
  PreparedJob prepared;
  prepared.emplace_back(std::move(job));
  return prepared;
}

std::future<void> WorkerThread::post(std::function<void()> job) {
  PreparedJob prepared = prepare(std::move(job));
  auto future = prepared.front().get_future();
  post(std::move(prepared));
  return future;
}

void WorkerThread::post(PreparedJob job) noexcept {
  {
    const std::lock_guard lock(mutex_);
    jobs_.splice(jobs_.end(), job);
  }
  changed_.notify_one();
}

void WorkerThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) break;
    PreparedJob job;
    job.splice(job.end(), jobs_, jobs_.begin());
    lock.unlock();
    job.front()();
    job.clear();  // what the job holds is freed on this thread
    lock.lock();
  }
  lock.unlock();
  if (at_end_) at_end_();
}

}  // namespace emelex
