#include "hub/hash_file.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/durable_file.h"
#include "emelex/error.h"
#include "hub/digest.h"

namespace emelex {
namespace {

constexpr size_t kChunk = size_t{1} << 20;

}  // namespace

HashedFile hash_file(const std::filesystem::path& file, const ChunkCallback& on_chunk) {
  const FileDescriptor input = open_regular_file(file);
  std::vector<std::byte> buffer(kChunk);
  Digest sha256(Digest::Kind::sha256);
  HashedFile result;
  for (;;) {
    const ssize_t n = ::read(input.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("can't read", file);
    if (n == 0) break;
    const std::span<const std::byte> bytes(buffer.data(), static_cast<size_t>(n));
    sha256.add(bytes);
    if (on_chunk) on_chunk(bytes);
    result.size += n;
  }
  result.sha256 = sha256.hex();
  return result;
}

}  // namespace emelex
