#include "hub/hash_file.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/durable_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "hub/names.h"

namespace emelex {
namespace {

constexpr size_t kChunk = size_t{1} << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void add(std::span<const std::byte> bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string hex() {
    std::vector<unsigned char> digest(EVP_MAX_MD_SIZE);
    unsigned int length = 0;
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), &length) == 1);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < length; ++i) {
      text += kDigits[digest[i] >> 4];
      text += kDigits[digest[i] & 15];
    }
    return text;
  }

 private:
  static void check(bool good) {
    if (!good) throw Error(ErrorCode::internal, "[hub] libcrypto refused to compute a SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

HashedFile hash_file(const std::filesystem::path& file, const ChunkCallback& on_chunk) {
  const FileDescriptor input = open_file(file, O_RDONLY);
  std::vector<std::byte> buffer(kChunk);
  Sha256 sha256;
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
