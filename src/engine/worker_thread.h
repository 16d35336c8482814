#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <thread>

namespace emelex {

// One thread that runs jobs in the order in which they were posted. May be used from any thread.
class WorkerThread {
 public:
  // A job in a list node of its own, so that posting it can't fail.
  using PreparedJob = std::list<std::packaged_task<void()>>;

  // `at_end` runs on the thread after the last job. Throws Error(out_of_memory) when the thread can't be started; then
  // `at_end` does not run.
  explicit WorkerThread(std::function<void()> at_end = {});
  ~WorkerThread();  // runs what was posted, then ends
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  static PreparedJob prepare(std::function<void()> job);

  // The future holds what the job threw. Throws std::bad_alloc, with nothing posted.
  std::future<void> post(std::function<void()> job);
  // What the job throws is dropped.
  void post(PreparedJob job) noexcept;

  // Runs a job and waits for it; throws what it threw.
  void run(std::function<void()> job) { post(std::move(job)).get(); }

 private:
  void work();

  std::function<void()> at_end_;
  std::mutex mutex_;
  std::condition_variable changed_;
  PreparedJob jobs_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace emelex
