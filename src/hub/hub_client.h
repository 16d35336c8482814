#pragma once

// Hugging Face's protocol, or that of a mirror, as far as fetching models needs it.

#include <cstdint>
#include <string>
#include <vector>

#include "hub/http.h"

namespace emelex {

// A file of a repository at one commit.
struct RemoteFile {
  std::string path;   // as the repository has it, which is hostile until check_remote_path has seen it
  int64_t size = -1;  // bytes; -1: the hub didn't say
  std::string hash;   // 64 hexadecimal digits: its SHA-256; 40: git's SHA-1 of a blob; empty: the hub didn't say

  bool has_sha256() const { return hash.size() == 64; }
};

struct RepoInfo {
  std::string repo;    // "org/name", as it was asked for
  std::string commit;  // 40 hexadecimal digits
  std::vector<RemoteFile> files;
};

struct HubAccess {
  std::string endpoint;  // without a '/' at the end
  std::string token;     // empty: none
};

// HF_ENDPOINT, HF_TOKEN, or the token's file: HF_TOKEN_PATH, $HF_HOME/token, ~/.cache/huggingface/token.
HubAccess hub_access_from_environment();

// The address at which the hub gives a file of a commit.
std::string resolve_url(const HubAccess& access, const std::string& repo, const std::string& commit,
                        const std::string& path);

// "org/name" is all that a repository's name may be. Throws Error(invalid_argument).
void check_repo_name(const std::string& repo);

// What a revision holds. Throws Error(not_found) for a missing or private repository or revision, saying what to do.
RepoInfo fetch_repo_info(HttpConnection& connection, const HubAccess& access, const std::string& repo,
                         const std::string& revision);

// Asks for size and hash of one file, where the list of a mirror has none.
void complete_remote_file(HttpConnection& connection, const HubAccess& access, const RepoInfo& info, RemoteFile& file);

// Throws for an answer that is no success: Error, naming what was asked for and what to do, or TransientError.
[[noreturn]] void throw_refused(const HttpResponse& response, const HubAccess& access, const std::string& repo,
                                const std::string& what);

}  // namespace emelex
