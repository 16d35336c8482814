#pragma once

#include <string>

#include "hub/http.h"
#include "hub/hub_client.h"
#include "hub/part_queue.h"
#include "hub/retry.h"

namespace emelex {

// One thread's way of getting parts: asks the hub where a file lies, asks there for a range, checks that the answer is
// that range of that file, and goes on where it was cut off.
class PartFetcher {
 public:
  PartFetcher(const HubAccess& access, const RepoInfo& info, PartQueue& queue, const RetryPolicy& retry,
              const HttpOptions& http)
      : access_(access), info_(info), queue_(queue), retry_(retry), connection_(http) {}

  // Returns true when the part is complete; `task` is then the last of those that came with it. False: the part is
  // another thread's to fetch, since the file can only be had in one go. Throws Error.
  bool fetch(PartTask& task);

 private:
  class Body;
  void try_once(PartTask& task, bool& got_bytes);
  bool must_leave(const FileJob& job);
  bool wants_range(const PartTask& task);
  std::string address(FileJob& job);
  void forget_address(FileJob& job);
  void check_redirect(const FileJob& job, const HttpResponse& response) const;
  void check_answer(const PartTask& task, const HttpResponse& response, bool ranged);

  const HubAccess& access_;
  const RepoInfo& info_;
  PartQueue& queue_;
  const RetryPolicy& retry_;
  HttpConnection connection_;
};

}  // namespace emelex
