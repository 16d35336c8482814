// Whatever a file holds, reading it ends with weights or an Error, and takes memory in proportion to the file alone.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <new>
#include <random>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "fuzz/weights_fuzz.h"
#include "weights/tiny_gguf.h"

namespace {

// The largest allocation since it was last set to 0. Tests run on one thread.
size_t largest_allocation = 0;

void* allocate(size_t n) {
  largest_allocation = std::max(largest_allocation, n);
  void* result = std::malloc(n == 0 ? 1 : n);
  if (result == nullptr) throw std::bad_alloc();
  return result;
}

}  // namespace

void* operator new(size_t n) { return allocate(n); }
void* operator new[](size_t n) { return allocate(n); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }

namespace emelex {
namespace {

namespace fs = std::filesystem;

// Reads the bytes as the fuzzer does. Returns whether they were a valid file.
bool survives(const std::string& bytes) {
  largest_allocation = 0;
  const bool valid = fuzz_gguf(std::as_bytes(std::span(bytes)));
  // A number of one byte takes eight in memory, an empty string 32 for the eight of its length.
  if (largest_allocation > 8 * bytes.size() + 2048) {
    FAIL_CHECK(bytes.size() << " bytes made one allocation of " << largest_allocation);
  }
  return valid;
}

TEST_CASE("A file cut off at any byte is an error") {
  const std::string whole = complete_gguf();
  REQUIRE(survives(whole));
  for (size_t n = 0; n < whole.size(); ++n) {
    if (survives(whole.substr(0, n))) FAIL_CHECK("a file cut after " << n << " bytes was accepted");
  }
}

TEST_CASE("A file cut off at any byte on the disk is an error that names it") {
  const TemporaryFolder folder;
  const fs::path path = folder.file("cut.gguf", complete_gguf());
  for (size_t n = fs::file_size(path); n-- > 0;) {
    fs::resize_file(path, n);
    expect_error(ErrorCode::corrupt_file, {"cut.gguf"}, [&] { (void)open_weights(path); });
  }
}

// One of the kinds of damage that find most: bytes, and numbers of 32 and 64 bits at the borders.
void damage(std::string& bytes, std::mt19937_64& random) {
  static constexpr uint64_t kNumbers[] = {0,       1,          2,          31,         33,          0x7F,
                                          0xFF,    0x7FFF,     0xFFFF,     0x10000,    0x7FFFFFFF,  0x80000000,
                                          1 << 24, 0xFFFFFFFF, 1ULL << 32, 1ULL << 61, ~0ULL >> 1U, ~0ULL};
  const size_t at = random() % bytes.size();
  const uint64_t number = kNumbers[random() % std::size(kNumbers)];
  const auto put = [&](size_t width) {
    for (size_t i = 0; i < width && at + i < bytes.size(); ++i) bytes[at + i] = static_cast<char>(number >> (8 * i));
  };
  switch (random() % 7) {
    case 0:
      bytes[at] = static_cast<char>(random());
      break;
    case 1:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
      break;
    case 2:
      put(4);
      break;
    case 3:
      put(8);
      break;
    case 4:
      bytes.erase(at, 1 + random() % 16);
      break;
    case 5:
      bytes.insert(at, 1 + random() % 16, static_cast<char>(number));
      break;
    default:
      bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 64));
      break;
  }
  if (bytes.empty()) bytes.push_back('G');
}

TEST_CASE("A file damaged at random is refused or read, 60,000 times over") {
  const std::string whole = complete_gguf();
  std::mt19937_64 random(20240601);
  int valid = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string bytes = whole;
    for (uint64_t n = 1 + random() % 6; n > 0; --n) damage(bytes, random);
    valid += survives(bytes) ? 1 : 0;
  }
  // Both happen: damage to data alone can't be noticed.
  CHECK(valid > 1'000);
  CHECK(valid < 59'000);
}

TEST_CASE("Small files of nothing but random numbers after the magic are refused") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    RawGguf file = RawGguf().header(random() % 4, random() % 4, 2 + static_cast<uint32_t>(random() % 2));
    for (uint64_t n = random() % 40; n > 0; --n) {
      random() % 2 == 0 ? file.number(static_cast<uint32_t>(random() % 16)) : file.number(random() % 64);
    }
    (void)survives(file.bytes());
  }
}

}  // namespace
}  // namespace emelex
