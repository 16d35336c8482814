#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace emelex {

// A file mapped into memory, read-only: opening is instant, pages are read when touched. Immutable; safe to use from
// any thread. Another program that shortens the file while it is mapped ends this one (SIGBUS), as with every mapping.
class MappedFile {
 public:
  // Throws Error: not_found, io (a folder, no regular file, not allowed), corrupt_file (empty), each naming the file.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }  // of the whole file, starting at a page

 private:
  MappedFile(std::filesystem::path path, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

// Where these bytes are of a mapped file, gives the memory of the whole pages among them back to the system, as when
// they were not read yet. They stay valid, and come from the file again when they are touched. Other bytes stay as they
// are.
void release_mapped(std::span<const std::byte> bytes);

// A whole small file, read into memory: at most 256 MiB. Throws Error as above, and unsupported for a longer one.
std::string read_text(const std::filesystem::path& path);

// Whether there is something at that path that this process can ask about.
bool is_there(const std::filesystem::path& path);

}  // namespace emelex
