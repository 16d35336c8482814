#include "base/mapped_file.h"

#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/durable_file.h"
#include "base/small_file.h"
#include "base/strings.h"
#include "emelex/error.h"

#if !defined(__unix__) && !defined(__APPLE__)
#error "MappedFile is written for POSIX systems; this is the one place that another system has to add to"
#endif
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace emelex {
namespace {

[[noreturn]] void fail_with_errno(const std::filesystem::path& path, int number) {
  if (number == ENOENT || number == ENOTDIR) {
    throw Error(ErrorCode::not_found, str_cat("[file] expected a file, got nothing at ", path_text(path)));
  }
  throw Error(ErrorCode::io, str_cat("[file] expected a file that can be read, got '",
                                     std::generic_category().message(number), "' for ", path_text(path)));
}

// The mappings that there are, as end → begin.
struct Mappings {
  std::mutex mutex;
  std::map<const std::byte*, const std::byte*, std::less<>> by_end;
};

Mappings& mappings() {
  static auto* all = new Mappings;  // for files that outlive main()
  return *all;
}

// The size of a regular file with something in it.
size_t size_of(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_with_errno(path, errno);
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::io, str_cat("[file] expected a file, got the folder ", path_text(path)));
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io, str_cat("[file] expected a regular file, got a device or pipe: ", path_text(path)));
  }
  if (status.st_size == 0) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[file] expected a file with content, got an empty one: ", path_text(path)));
  }
  if (!std::in_range<size_t>(status.st_size)) fail_with_errno(path, EFBIG);
  return static_cast<size_t>(status.st_size);
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for somebody to write into it.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail_with_errno(path, errno);
  const size_t size = size_of(file, path);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) fail_with_errno(path, errno);
  const std::span bytes(static_cast<const std::byte*>(address), size);
  try {
    return std::shared_ptr<const MappedFile>(new MappedFile(path, bytes));
  } catch (...) {
    ::munmap(address, size);
    throw;
  }
}

MappedFile::MappedFile(std::filesystem::path path, std::span<const std::byte> bytes)
    : path_(std::move(path)), bytes_(bytes) {
  const std::lock_guard lock(mappings().mutex);
  mappings().by_end.emplace(bytes_.data() + bytes_.size(), bytes_.data());
}

MappedFile::~MappedFile() {
  {
    const std::lock_guard lock(mappings().mutex);
    mappings().by_end.erase(bytes_.data() + bytes_.size());
  }
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void release_mapped(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mappings().mutex);  // so that it stays mapped
  const auto mapping = mappings().by_end.lower_bound(bytes.data() + bytes.size());
  if (bytes.empty() || mapping == mappings().by_end.end() || std::less<>()(bytes.data(), mapping->second)) return;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<size_t>(bytes.data() - mapping->second);
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + bytes.size()) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(mapping->second) + begin, end - begin, MADV_DONTNEED);
}

std::string read_text(const std::filesystem::path& path) {
  // Read, not mapped: an editor that shortens the file must not end this process. Tokenizers are the largest of these.
  constexpr size_t kMostBytes = size_t{256} << 20;
  std::string text = read_small_file(path, {.most_bytes = kMostBytes});
  if (!text.empty()) return text;
  throw Error(ErrorCode::corrupt_file,
              str_cat("[file] expected a file with content, got an empty one: ", path_text(path)));
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace emelex
