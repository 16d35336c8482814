#pragma once

#include <cstdint>
#include <string>

// Functions of the C library, replaced in this program: the n-th call of a kind fails, from wherever it comes, of
// libstdc++, libcurl and MLX, too. Linux alone.
namespace emelex::test {

enum class Kind : uint8_t {
  allocation,  // malloc, calloc, realloc and aligned forms, which operator new uses
  thread,      // pthread_create
  open,        // open, fopen
  read,        // read, pread
  write,       // write, writev, pwrite, ftruncate
  sync,        // fsync
  rename,      // rename
  map,         // mmap
  socket,      // socket, connect, send, recv
};
inline constexpr int kKinds = 9;
std::string name_of(Kind kind);

// Resets the counters, and has the n-th call of that kind fail from now on, once; 0: none.
void arm(Kind kind, int64_t n);
void disarm();
int64_t calls(Kind kind);   // since arm()
bool has_failed();          // since arm()
bool has_failed_in_json();  // whether that call was the JSON library's

// What the process has now: blocks of malloc and its like, open files, threads.
struct Held {
  int64_t blocks = 0;
  int64_t files = 0;
  int64_t threads = 0;
  bool more_than(const Held& other) const {
    return blocks > other.blocks || files > other.files || threads > other.threads;
  }
};
Held held();

}  // namespace emelex::test
