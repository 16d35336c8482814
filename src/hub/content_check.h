#pragma once

#include <optional>
#include <span>
#include <string>

#include "hub/digest.h"
#include "hub/hub_client.h"

namespace emelex {

// Hashes a file's bytes as they come: SHA-256, which every manifest holds, and git's SHA-1 of a blob where that is all
// that the hub knows.
class ContentCheck {
 public:
  explicit ContentCheck(const RemoteFile& file) : expected_(file.hash), sha256_(Digest::Kind::sha256) {
    if (file.has_sha256()) return;
    git_.emplace(Digest::Kind::sha1);
    git_->add("blob " + std::to_string(file.size));
    git_->add(std::string_view("\0", 1));
  }

  void add(std::span<const std::byte> bytes) {
    sha256_.add(bytes);
    if (git_) git_->add(bytes);
  }

  // Once and last: the SHA-256 of what came, or nothing when it is not what the hub has.
  std::optional<std::string> finish() {
    const std::string sha256 = sha256_.hex();
    if ((git_ ? git_->hex() : sha256) != expected_) return {};
    return sha256;
  }

 private:
  std::string expected_;
  Digest sha256_;
  std::optional<Digest> git_;
};

}  // namespace emelex
