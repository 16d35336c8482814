#include "faults/interposer.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <string_view>

namespace emelex::test {
namespace {

constinit std::atomic<bool> armed{false};
constinit std::atomic<bool> failed{false};
constinit std::atomic<bool> in_json{false};
constinit std::atomic<int> failing{0};
constinit std::atomic<int64_t> failing_number{0};
constinit std::array<std::atomic<int64_t>, kKinds> counts{};
constinit std::atomic<int64_t> live{0};

// Whether libmlx makes the call for itself, and not for an array's memory. It allocates in destructors, too, where
// nobody can survive a failure.
bool is_of_mlx(std::span<void* const> frames) {
  bool found = false;
  for (void* frame : frames) {
    Dl_info info;
    if (::dladdr(frame, &info) == 0 || std::string_view(info.dli_fname).find("libmlx") == std::string_view::npos)
      continue;
    found = true;
    if (info.dli_sname != nullptr && std::string_view(info.dli_sname).starts_with("_ZN3mlx4core9allocator6malloc")) {
      return false;
    }
  }
  return found;
}

// The mangled name of the function of this program that an address lies in, from its own symbol table: hidden functions
// are not in the one that dladdr knows.
std::string_view function_at(const void* address) {
  static const auto* program = [] {
    const int fd = ::open("/proc/self/exe", O_RDONLY);
    const void* mapped = ::mmap(nullptr, static_cast<size_t>(::lseek(fd, 0, SEEK_END)), PROT_READ, MAP_PRIVATE, fd, 0);
    ::close(fd);
    return static_cast<const char*>(mapped);
  }();
  Dl_info info;
  if (::dladdr(reinterpret_cast<const void*>(&function_at), &info) == 0) return {};
  const auto at = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(info.dli_fbase);
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(program);
  const std::span sections(reinterpret_cast<const Elf64_Shdr*>(program + header->e_shoff), header->e_shnum);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB) continue;
    const char* names = program + sections[section.sh_link].sh_offset;
    const std::span symbols(reinterpret_cast<const Elf64_Sym*>(program + section.sh_offset),
                            section.sh_size / sizeof(Elf64_Sym));
    for (const Elf64_Sym& symbol : symbols) {
      if (at >= symbol.st_value && at < symbol.st_value + symbol.st_size) return names + symbol.st_name;
    }
  }
  return {};
}

// Whether nlohmann::json is being destroyed, which it needs memory for.
bool destroys_json(std::span<void* const> frames) {
  for (void* frame : frames) {
    const std::string_view name = function_at(frame);
    if (name.find("8nlohmann") == std::string_view::npos) continue;
    for (const char* part : {"7destroyE", "D1Ev", "D2Ev"}) {
      if (name.find(part) != std::string_view::npos) return true;
    }
  }
  return false;
}

// Whether nlohmann::json was at work. Its constructors leak what they have made when they run out of memory.
bool is_of_json(std::span<void* const> frames) {
  return std::any_of(frames.begin(), frames.end(),
                     [](void* frame) { return function_at(frame).find("8nlohmann") != std::string_view::npos; });
}

bool survivable(std::span<void* const> frames) { return !is_of_mlx(frames) && !destroys_json(frames); }

bool fails(Kind kind, int error) noexcept {
  if (!armed.load(std::memory_order_relaxed)) return false;
  const int64_t number = counts[static_cast<size_t>(kind)].fetch_add(1) + 1;
  if (static_cast<int>(kind) != failing || number != failing_number) return false;
  void* frames[64];
  const int n_frames = ::backtrace(frames, 64);
  if (kind == Kind::allocation && !survivable({frames, static_cast<size_t>(n_frames)})) return false;
  failed = true;
  in_json = is_of_json({frames, static_cast<size_t>(n_frames)});
  if (std::getenv("EMELEX_FAULT_TRACE") != nullptr) {  // where it is, to find out why a program did not survive it
    ::backtrace_symbols_fd(frames, n_frames, STDERR_FILENO);
  }
  errno = error;
  return true;
}

// `p` is new memory, or nullptr where there is none.
void* counted(void* p) noexcept {
  if (p != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return p;
}

int64_t entries(const char* folder) {
  int64_t n = 0;
  DIR* listing = ::opendir(folder);
  if (listing == nullptr) return -1;
  while (::readdir(listing) != nullptr) ++n;
  ::closedir(listing);
  return n;
}

}  // namespace

std::string name_of(Kind kind) {
  constexpr std::array<const char*, kKinds> kNames = {"allocation", "thread", "open", "read",  "write",
                                                      "sync",       "rename", "map",  "socket"};
  return kNames[static_cast<size_t>(kind)];
}

void arm(Kind kind, int64_t n) {
  for (auto& count : counts) count = 0;
  failed = false;
  in_json = false;
  failing = static_cast<int>(kind);
  failing_number = n;
  armed = true;
}

void disarm() { armed = false; }

int64_t calls(Kind kind) { return counts[static_cast<size_t>(kind)]; }

bool has_failed() { return failed; }
bool has_failed_in_json() { return in_json; }

Held held() {
  const int64_t files = entries("/proc/self/fd");
  const int64_t threads = entries("/proc/self/task");
  return {live, files, threads};
}

}  // namespace emelex::test

using emelex::test::counted;
using emelex::test::fails;
using emelex::test::Kind;
using emelex::test::live;

// The function that this one replaces.
#define NEXT(type, name) static const auto next = reinterpret_cast<type>(::dlsym(RTLD_NEXT, name))
#define REPLACEMENT extern "C" __attribute__((visibility("default")))

using OpenFn = int (*)(const char*, int, ...);

#define REPLACE_OPEN(name)                                           \
  REPLACEMENT int name(const char* path, int flags, ...) {           \
    mode_t mode = 0;                                                 \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                      \
      va_list arguments;                                             \
      va_start(arguments, flags);                                    \
      mode = va_arg(arguments, mode_t);                              \
      va_end(arguments);                                             \
    }                                                                \
    NEXT(OpenFn, #name);                                             \
    return fails(Kind::open, EMFILE) ? -1 : next(path, flags, mode); \
  }
REPLACE_OPEN(open)
REPLACE_OPEN(open64)

#define REPLACE_FOPEN(name)                                        \
  REPLACEMENT FILE* name(const char* path, const char* mode) {     \
    NEXT(FILE* (*)(const char*, const char*), #name);              \
    return fails(Kind::open, EMFILE) ? nullptr : next(path, mode); \
  }
REPLACE_FOPEN(fopen)
REPLACE_FOPEN(fopen64)

REPLACEMENT ssize_t read(int fd, void* to, size_t n) {
  NEXT(ssize_t(*)(int, void*, size_t), "read");
  return fails(Kind::read, EIO) ? -1 : next(fd, to, n);
}

#define REPLACE_PREAD(name)                                            \
  REPLACEMENT ssize_t name(int fd, void* to, size_t n, off_t offset) { \
    NEXT(ssize_t (*)(int, void*, size_t, off_t), #name);               \
    return fails(Kind::read, EIO) ? -1 : next(fd, to, n, offset);      \
  }
REPLACE_PREAD(pread)
REPLACE_PREAD(pread64)

REPLACEMENT ssize_t write(int fd, const void* from, size_t n) {
  NEXT(ssize_t(*)(int, const void*, size_t), "write");
  return fails(Kind::write, ENOSPC) ? -1 : next(fd, from, n);
}

REPLACEMENT ssize_t writev(int fd, const iovec* from, int n) {
  NEXT(ssize_t(*)(int, const iovec*, int), "writev");
  return fails(Kind::write, ENOSPC) ? -1 : next(fd, from, n);
}

#define REPLACE_PWRITE(name)                                                   \
  REPLACEMENT ssize_t name(int fd, const void* from, size_t n, off_t offset) { \
    NEXT(ssize_t (*)(int, const void*, size_t, off_t), #name);                 \
    return fails(Kind::write, ENOSPC) ? -1 : next(fd, from, n, offset);        \
  }
REPLACE_PWRITE(pwrite)
REPLACE_PWRITE(pwrite64)

#define REPLACE_FTRUNCATE(name)                              \
  REPLACEMENT int name(int fd, off_t size) noexcept {        \
    NEXT(int (*)(int, off_t), #name);                        \
    return fails(Kind::write, ENOSPC) ? -1 : next(fd, size); \
  }
REPLACE_FTRUNCATE(ftruncate)
REPLACE_FTRUNCATE(ftruncate64)

REPLACEMENT int fsync(int fd) {
  NEXT(int (*)(int), "fsync");
  return fails(Kind::sync, EIO) ? -1 : next(fd);
}

REPLACEMENT int rename(const char* from, const char* to) noexcept {
  NEXT(int (*)(const char*, const char*), "rename");
  return fails(Kind::rename, EACCES) ? -1 : next(from, to);
}

#define REPLACE_MMAP(name)                                                                               \
  REPLACEMENT void* name(void* at, size_t n, int protection, int flags, int fd, off_t offset) noexcept { \
    NEXT(void* (*)(void*, size_t, int, int, int, off_t), #name);                                         \
    return fails(Kind::map, ENOMEM) ? MAP_FAILED : next(at, n, protection, flags, fd, offset);           \
  }
REPLACE_MMAP(mmap)
REPLACE_MMAP(mmap64)

REPLACEMENT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*work)(void*),
                               void* argument) noexcept {
  NEXT(int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*), "pthread_create");
  return fails(Kind::thread, EAGAIN) ? EAGAIN : next(thread, attributes, work, argument);
}

REPLACEMENT int socket(int domain, int type, int protocol) noexcept {
  NEXT(int (*)(int, int, int), "socket");
  return fails(Kind::socket, EMFILE) ? -1 : next(domain, type, protocol);
}

REPLACEMENT int connect(int fd, const sockaddr* address, socklen_t n) {
  NEXT(int (*)(int, const sockaddr*, socklen_t), "connect");
  return fails(Kind::socket, ECONNREFUSED) ? -1 : next(fd, address, n);
}

REPLACEMENT ssize_t send(int fd, const void* from, size_t n, int flags) {
  NEXT(ssize_t(*)(int, const void*, size_t, int), "send");
  return fails(Kind::socket, ECONNRESET) ? -1 : next(fd, from, n, flags);
}

REPLACEMENT ssize_t recv(int fd, void* to, size_t n, int flags) {
  NEXT(ssize_t(*)(int, void*, size_t, int), "recv");
  return fails(Kind::socket, ECONNRESET) ? -1 : next(fd, to, n, flags);
}

REPLACEMENT ssize_t __recv_chk(int fd, void* to, size_t n, size_t, int flags) { return recv(fd, to, n, flags); }

extern "C" {
void* __libc_malloc(size_t n);
void* __libc_calloc(size_t count, size_t n);
void* __libc_realloc(void* p, size_t n);
void* __libc_memalign(size_t alignment, size_t n);
void __libc_free(void* p);
}

REPLACEMENT void* malloc(size_t n) noexcept {
  return fails(Kind::allocation, ENOMEM) ? nullptr : counted(__libc_malloc(n));
}
REPLACEMENT void* calloc(size_t count, size_t n) noexcept {
  return fails(Kind::allocation, ENOMEM) ? nullptr : counted(__libc_calloc(count, n));
}
REPLACEMENT void* realloc(void* p, size_t n) noexcept {
  if (p == nullptr) return malloc(n);
  if (n > 0) return fails(Kind::allocation, ENOMEM) ? nullptr : __libc_realloc(p, n);
  free(p);
  return nullptr;
}
REPLACEMENT void* memalign(size_t alignment, size_t n) noexcept {
  return fails(Kind::allocation, ENOMEM) ? nullptr : counted(__libc_memalign(alignment, n));
}
REPLACEMENT void* aligned_alloc(size_t alignment, size_t n) noexcept { return memalign(alignment, n); }
REPLACEMENT int posix_memalign(void** to, size_t alignment, size_t n) noexcept {
  void* p = memalign(alignment, n);
  if (p == nullptr) return ENOMEM;
  *to = p;
  return 0;
}
REPLACEMENT void free(void* p) noexcept {
  if (p != nullptr) live.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(p);
}
