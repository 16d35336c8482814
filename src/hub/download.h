#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "emelex/hub.h"
#include "hub/hub_client.h"
#include "hub/retry.h"

namespace emelex {

struct DownloadOptions {
  int connections = 8;  // at most
  int64_t part_bytes = int64_t{16} << 20;
  double stall_seconds = 30;
  RetryPolicy retry;
  std::function<void(const PullProgress& progress)> progress;  // called by the thread that called download_files
};

// Fetches files into `target`, under their own names, several parts at once, and checks their hashes meanwhile. What is
// unfinished lies in folder/.pull, and a later call goes on there. A file has its real name only when it is whole,
// right and on the disk; one that is in `folder` or `target` already is taken as it is when its size and hash are
// right. Returns them in the same order, with paths as the repository has them.
std::vector<ModelFile> download_files(const HubAccess& access, const RepoInfo& info,
                                      const std::vector<RemoteFile>& files, const std::filesystem::path& folder,
                                      const std::filesystem::path& target, const DownloadOptions& options);

// Bytes that download_files would still have to write.
int64_t bytes_to_download(const std::vector<RemoteFile>& files, const std::filesystem::path& folder);

// The folder of unfinished files within a model's.
inline constexpr const char* kUnfinishedFolder = ".pull";

}  // namespace emelex
