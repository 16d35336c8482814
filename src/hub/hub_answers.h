#pragma once

// What a hub says, read: its bytes are hostile, and no network is needed to try them.

#include <string>

#include "hub/hub_client.h"

namespace emelex {

inline constexpr size_t kMaxInfoBytes = size_t{32} << 20;  // a repository of thousands of files takes less

// The JSON of a revision. Paths in it are not checked yet, see select_files. Throws Error(network).
RepoInfo read_repo_info(const std::string& body, const std::string& repo);

// Size and hash of a file, as far as the answer to a HEAD has them; else they stay as they are.
void read_file_headers(const HttpResponse& response, RemoteFile& file);

// Seconds to wait after a 429, as either header says; a minute where neither does.
double limit_seconds(const HttpResponse& response);

// `etag` without W/ and quotes.
std::string plain_etag(std::string etag);

}  // namespace emelex
