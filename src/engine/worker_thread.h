#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <thread>

namespace emelex {

// One thread that runs jobs in the order in which they were posted, and between them steps of work that goes on. May be
// used from any thread.
class WorkerThread {
 public:
  // `step` does a part of the work when no job waits, and returns whether there is more; after false it is called again
  // once somebody called wake(). It must not throw. `at_end` runs on the thread after the last job. Throws
  // Error(out_of_memory) when the thread can't be started; then neither runs.
  explicit WorkerThread(std::function<void()> at_end = {}, std::function<bool()> step = {});
  ~WorkerThread();  // runs what was posted, and steps until there is no more to do, then ends
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // The future holds what the job threw. Throws std::bad_alloc, with nothing posted.
  std::future<void> post(std::function<void()> job);
  // Has `step` called again.
  void wake() noexcept;

  // Runs a job and waits for it; throws what it threw.
  void run(std::function<void()> job) { post(std::move(job)).get(); }

 private:
  void work();

  std::function<void()> at_end_;
  std::function<bool()> step_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::packaged_task<void()>> jobs_;
  bool awake_ = false;  // `step` is to be called
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace emelex
