#include "hub/digest.h"

#include <openssl/evp.h>

#include <array>

#include "emelex/error.h"

namespace emelex {
namespace {

void check(bool good) {
  if (!good) throw Error(ErrorCode::internal, "[hub] libcrypto refused to compute a hash");
}

}  // namespace

struct Digest::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
};

void Digest::Free::operator()(Context* context) const {
  EVP_MD_CTX_free(context->evp);
  delete context;
}

Digest::Digest(Kind kind) : context_(new Context) {
  const EVP_MD* function = kind == Kind::sha1 ? EVP_sha1() : EVP_sha256();
  check(context_->evp != nullptr && EVP_DigestInit_ex(context_->evp, function, nullptr) == 1);
}

void Digest::add(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::string Digest::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  check(EVP_DigestFinal_ex(context_->evp, digest.data(), &length) == 1);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace emelex
