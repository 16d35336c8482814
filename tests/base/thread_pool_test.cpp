#include "base/thread_pool.h"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/expect_error.h"
#include "base/faults.h"

using emelex::ThreadPool;

namespace {

// How often each index of a loop was called, and whether the workers' numbers were right.
std::vector<int> count_calls(ThreadPool& pool, int n) {
  std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
  std::atomic<int> bad_workers{0};
  pool.for_each(n, [&](int index, int worker) {
    calls[static_cast<size_t>(index)].fetch_add(1);
    if (worker < 0 || worker >= pool.size()) bad_workers.fetch_add(1);
  });
  CHECK(bad_workers == 0);
  return {calls.begin(), calls.end()};
}

}  // namespace

TEST_CASE("a loop calls each index once, whatever the numbers of threads and indices") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (const int n : {0, 1, 2, 7, 64, 10000, 3000000}) {  // the last are more than a ticket can number
      CAPTURE(n);
      CHECK(count_calls(pool, n) == std::vector<int>(static_cast<size_t>(n), 1));
    }
  }
}

TEST_CASE("runs make up a loop, whatever the numbers of threads and indices, and get shorter") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int n : {0, 1, 2, 7, 64, 10000, 3000000}) {
      CAPTURE(n);
      std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
      std::atomic<int> runs{0};
      std::atomic<int> longest{0};
      std::atomic<bool> good{true};
      pool.for_runs(n, [&](int begin, int end, int worker) {
        if (begin < 0 || begin >= end || end > n || worker < 0 || worker >= pool.size()) good = false;
        for (int i = begin; i < end; ++i) calls[static_cast<size_t>(i)].fetch_add(1);
        int most = longest.load();
        while (most < end - begin && !longest.compare_exchange_weak(most, end - begin)) {
        }
        runs.fetch_add(1);
      });
      CHECK(good);
      CHECK(std::vector<int>(calls.begin(), calls.end()) == std::vector<int>(static_cast<size_t>(n), 1));
      if (threads > 1 && n >= 64) {
        CHECK(longest <= n / threads / 2);  // no worker holds most of its share
        CHECK(runs < n);
      }
    }
  }
}

TEST_CASE("each index of many short loops is called once, with more threads than cores") {
  ThreadPool pool(8);
  int64_t expected = 0;
  std::atomic<int64_t> sum{0};
  for (int loop = 0; loop < 30000; ++loop) {
    const int n = loop % 7 == 0 ? 60 : 2 + loop % 5;  // a worker that comes late meets a longer loop, or a shorter one
    const auto add = [&, loop](int index, int) { sum.fetch_add(int64_t{index} * loop + 1, std::memory_order_relaxed); };
    if (loop % 3 == 0) {  // both kinds in turn
      pool.for_runs(n, [&](int begin, int end, int worker) {
        for (int i = begin; i < end; ++i) add(i, worker);
      });
    } else {
      pool.for_each(n, add);
    }
    expected += int64_t{n} * (n - 1) / 2 * loop + n;
    REQUIRE(sum.load() == expected);
  }
}

TEST_CASE("what a loop throws arrives at its caller, and the pool goes on") {
  for (const int threads : {1, 2, 8}) {
    ThreadPool pool(threads);
    for (int bad = 0; bad < 200; bad += 7) {
      const auto throw_at = [&](int index, int) {
        if (index == bad) throw std::runtime_error("index " + std::to_string(index));
      };
      CHECK_THROWS_WITH_AS(pool.for_each(200, throw_at), ("index " + std::to_string(bad)).c_str(), std::runtime_error);
      CHECK(count_calls(pool, 200) == std::vector<int>(200, 1));
    }
    CHECK_THROWS_AS(pool.for_each(200, [](int, int) { throw std::bad_alloc(); }), std::bad_alloc);
  }
}

TEST_CASE("loops may follow one another at once, and after the workers have gone to sleep") {
  ThreadPool pool(3);
  for (int i = 0; i < 20000; ++i) {
    std::atomic<int> sum{0};
    pool.for_each(5, [&](int index, int) { sum += index; });
    REQUIRE(sum == 10);
  }
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(count_calls(pool, 100) == std::vector<int>(100, 1));
  }
}

TEST_CASE("what a loop wrote is there when it returns") {
  ThreadPool pool(4);
  std::vector<int> squares(1000);
  pool.for_each(1000, [&](int index, int) { squares[static_cast<size_t>(index)] = index * index; });
  for (int i = 0; i < 1000; ++i) CHECK(squares[static_cast<size_t>(i)] == i * i);
}

TEST_CASE("a pool may go away at any time after its loops") {
  for (int i = 0; i < 200; ++i) {
    ThreadPool pool(1 + i % 4);
    if (i % 3 != 0) pool.for_each(i, [](int, int) {});
  }
}

TEST_CASE("a pool whose threads can't all be started is an Error, and ends those that were") {
  for (int64_t n = 1; n <= 7; ++n) {
    emelex::faults::arm(emelex::faults::Call::start_thread, n);
    emelex::expect_error(emelex::ErrorCode::out_of_memory, {"[threads]", "a pool of 8", "fewer threads"},
                         [] { const ThreadPool pool(8); });
    emelex::faults::disarm();
  }
  ThreadPool pool(8);
  CHECK(count_calls(pool, 100) == std::vector<int>(100, 1));
}

TEST_CASE("this machine has a core") { CHECK(emelex::physical_cores() >= 1); }
