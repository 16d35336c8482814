#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace emelex {

// One thread that runs jobs in the order in which they were posted.
class WorkerThread {
 public:
  WorkerThread() : thread_([this] { work(); }) {}
  ~WorkerThread();  // runs what was posted, then ends
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // The future holds what the job threw.
  std::future<void> post(std::function<void()> job);

  // Runs a job and waits for it; throws what it threw.
  void run(std::function<void()> job) { post(std::move(job)).get(); }

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::packaged_task<void()>> jobs_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace emelex
