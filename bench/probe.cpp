// What the machine gives at this moment, with so many threads: bytes read a second from a buffer in anonymous memory
// and from a mapped file, and 8-bit integer operations a second. Prints a JSON object; null is what cannot be measured
// here.
//
//     probe THREADS [FILE]

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#include <immintrin.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using Wide = int64_t __attribute__((vector_size(64)));

constexpr size_t kBuffer = size_t{1} << 30;
constexpr size_t kChunk = size_t{1} << 20;         // what a thread takes at a time
constexpr size_t kSmallestFile = size_t{1} << 30;  // a smaller one would lie in the cache to a good part
constexpr double kSeconds = 0.4;

#ifdef MAP_POPULATE
constexpr int kPopulate = MAP_POPULATE;
#else
constexpr int kPopulate = 0;
#endif

std::atomic<int64_t> sink;  // so that nothing is optimized away

void on_all_threads(int count, const std::function<void()>& work) {
  std::vector<std::thread> threads;
  for (int i = 1; i < count; ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
}

int64_t read_chunk(const std::byte* at) {
  const auto* wide = reinterpret_cast<const Wide*>(at);
  std::array<Wide, 8> sums{};
  for (size_t i = 0; i < kChunk / sizeof(Wide); i += sums.size()) {
    for (size_t j = 0; j < sums.size(); ++j) sums[j] += wide[i + j];
  }
  Wide sum{};
  for (const Wide& part : sums) sum += part;
  return sum[0] + sum[7];
}

// Chunks in turn, round and round until the time is over. → GB/s
double read_rate(const std::byte* data, size_t size, int threads, double seconds) {
  const size_t chunks = size / kChunk;
  std::atomic<size_t> next = 0;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(seconds);
  on_all_threads(threads, [&] {
    int64_t sum = 0;
    while (Clock::now() < end) {
      sum += read_chunk(data + next.fetch_add(1) % chunks * kChunk);
    }
    sink += sum;
  });
  return static_cast<double>(next * kChunk) / 1e9 / std::chrono::duration<double>(Clock::now() - begin).count();
}

double anonymous_rate(int threads) {
  void* memory = mmap(nullptr, kBuffer, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
#ifdef MADV_HUGEPAGE
  madvise(memory, kBuffer, MADV_HUGEPAGE);
#endif
  auto* data = static_cast<std::byte*>(memory);
  std::atomic<size_t> next = 0;
  on_all_threads(threads, [&] {  // a page that nothing was written to is not memory yet
    for (size_t at = 0; (at = next.fetch_add(kChunk)) < kBuffer;) std::fill_n(data + at, kChunk, std::byte{1});
  });
  const double rate = read_rate(data, kBuffer, threads, kSeconds);
  munmap(memory, kBuffer);
  return rate;
}

double file_rate(const char* path, int threads) {
  const int file = open(path, O_RDONLY);
  if (file < 0) return 0;
  struct stat status {};
  double rate = 0;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && static_cast<size_t>(status.st_size) >= kSmallestFile) {
    const auto size = static_cast<size_t>(status.st_size);
    void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED | kPopulate, file, 0);
    if (memory != MAP_FAILED) {
      rate = read_rate(static_cast<const std::byte*>(memory), size, threads, kSeconds);
      munmap(memory, size);
    }
  }
  close(file);
  return rate;
}

// Dot products of bytes in registers. → 10⁹ multiplications and additions a second; 0: no such instruction
double int8_rate(int threads) {
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#ifdef __AVX512VNNI__
  using Register = __m512i;
  const auto dot = [](Register sum, Register a, Register b) { return _mm512_dpbusd_epi32(sum, a, b); };
#else
  using Register = __m256i;
  const auto dot = [](Register sum, Register a, Register b) { return _mm256_dpbusd_avx_epi32(sum, a, b); };
#endif
  constexpr int kSteps = 10000;
  constexpr int kRegisters = 12;  // enough that no step waits for one before
  std::atomic<int64_t> rounds = 0;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(kSeconds / 2);
  on_all_threads(threads, [&] {
    Register sums[kRegisters]{}, factor{};
    while (Clock::now() < end) {
      for (int i = 0; i < kSteps; ++i) {
        __asm__ volatile("" : "+v"(factor));  // so that every step is computed
        for (Register& sum : sums) sum = dot(sum, factor, factor);
      }
      ++rounds;
    }
    for (const Register& sum : sums) sink += *reinterpret_cast<const int64_t*>(&sum);
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return static_cast<double>(rounds) * kSteps * kRegisters * sizeof(Register) * 2 / 1e9 / seconds;
#else
  (void)threads;
  return 0;
#endif
}

void print(const char* name, double value, const char* after) {
  if (value > 0) {
    std::printf("\"%s\": %.2f%s", name, value, after);
  } else {
    std::printf("\"%s\": null%s", name, after);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  if (threads < 1 || argc > 3) {
    std::fprintf(stderr, "usage: probe THREADS [FILE]\n");
    return 2;
  }
  std::printf("{");
  print("read", anonymous_rate(threads), ", ");
  print("read_file", argc > 2 ? file_rate(argv[2], threads) : 0, ", ");
  print("int8", int8_rate(threads), "}\n");
}
