#include "hub/part_fetcher.h"

#include <algorithm>

#include "base/strings.h"
#include "hub/hub_answers.h"
#include "hub/names.h"
#include "hub/url.h"

namespace emelex {
namespace {

constexpr int kMaxRedirects = 8;
constexpr int64_t kLeastProgress = 4096;   // bytes of one answer; a server that gives one a time would never end
constexpr int kIgnoredRangesBelieved = 3;  // then the server has no ranges

// Ends a transfer that has brought what was wanted.
struct Enough {};

}  // namespace

// Where the bytes of an answer go. It begins at `offset` of the file, which may be before what is missing.
class PartFetcher::Body {
 public:
  Body(PartQueue& queue, PartTask& task, int64_t offset, bool whole, bool& got_bytes)
      : queue_(queue), task_(task), offset_(offset), whole_(whole), got_bytes_(got_bytes) {}

  void operator()(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      PartFile& file = task_.job->file;
      const int64_t position = file.position(task_.part);
      const int64_t known = std::min<int64_t>(position - offset_, static_cast<int64_t>(bytes.size()));
      bytes = bytes.subspan(static_cast<size_t>(known));
      offset_ += known;
      const int64_t room = std::min<int64_t>(file.end(task_.part) - position, static_cast<int64_t>(bytes.size()));
      if (room > 0 && offset_ == position) {
        file.write(task_.part, bytes.subspan(0, static_cast<size_t>(room)));
        got_ += room;
        got_bytes_ = got_ >= kLeastProgress;
        bytes = bytes.subspan(static_cast<size_t>(room));
        offset_ += room;
      }
      // Of an answer with all of the file the next parts are taken, too; of one that is longer than it said, nothing.
      if (file.complete(task_.part) && (!whole_ || !queue_.take_following(task_))) {
        if (whole_ || !bytes.empty()) throw Enough{};
        return;
      }
    }
  }

 private:
  PartQueue& queue_;
  PartTask& task_;
  int64_t offset_;
  bool whole_;
  int64_t got_ = 0;
  bool& got_bytes_;
};

bool PartFetcher::must_leave(const FileJob& job) {
  const auto locked = queue_.lock();
  return job.no_ranges && job.active > 1;
}

bool PartFetcher::fetch(PartTask& task) {
  for (Retry retry(retry_);;) {
    bool got_bytes = false;
    if (must_leave(*task.job)) return false;
    try {
      try_once(task, got_bytes);
      if (task.job->file.complete(task.part)) return true;
      throw TransientError(str_cat("[hub] ", in_quotes(task.job->remote.path), ": fewer bytes came than asked for"));
    } catch (const TransientError& failure) {
      task.job->file.save(task.part);
      if (got_bytes) retry.progressed();
      retry.wait(failure);
    } catch (...) {
      task.job->file.save(task.part);
      throw;
    }
  }
}

void PartFetcher::try_once(PartTask& task, bool& got_bytes) {
  FileJob& job = *task.job;
  HttpRequest request{.url = address(job)};
  const bool ranged = wants_range(task);
  if (ranged) {
    request.first = job.file.position(task.part);
    request.end = job.file.end(task.part);
  }
  for (int hops = 0; hops < kMaxRedirects; ++hops) {
    // A token is for the hub alone, wherever it sends us.
    const bool at_hub = origin_of(request.url) == origin_of(access_.endpoint);
    request.token = at_hub ? access_.token : "";
    HttpResponse response;
    try {
      response = connection_.perform(request, [&](const HttpResponse& head) -> BodySink {
        if (head.status != 200 && head.status != 206) return {};
        check_answer(task, head, ranged);
        return Body(queue_, task, ranged ? request.first : 0, !ranged, got_bytes);
      });
    } catch (const Enough&) {
      return;
    }
    if (response.status == 200 || response.status == 206) return;
    if (!response.is_redirect() || response.header("location").empty()) {
      // Addresses at a storage expire; the hub gives a new one.
      if (!at_hub) forget_address(job);
      if (!at_hub && response.status < 500 && response.status != 429) {
        throw TransientError(
            str_cat("[hub] ", in_quotes(job.remote.path), ": the storage refused with status ", response.status));
      }
      throw_refused(response, access_, info_.repo, in_quotes(job.remote.path));
    }
    if (at_hub) check_redirect(job, response);
    request.url = follow_redirect(request.url, response.header("location"));
    if (at_hub && origin_of(request.url) != origin_of(access_.endpoint)) {
      const auto locked = queue_.lock();
      job.location = request.url;
    }
  }
  forget_address(job);
  throw TransientError(str_cat("[hub] ", in_quotes(job.remote.path), ": redirected in a circle"));
}

bool PartFetcher::wants_range(const PartTask& task) {
  const auto locked = queue_.lock();
  const bool all_of_it = task.job->file.n_parts() == 1 && task.job->file.position(0) == 0;
  return !task.job->no_ranges && !all_of_it;
}

std::string PartFetcher::address(FileJob& job) {
  const auto locked = queue_.lock();
  return job.location.empty() ? resolve_url(access_, info_.repo, info_.commit, job.remote.path) : job.location;
}

void PartFetcher::forget_address(FileJob& job) {
  const auto locked = queue_.lock();
  job.location.clear();
}

void PartFetcher::check_redirect(const FileJob& job, const HttpResponse& response) const {
  const std::string etag = plain_etag(response.header("x-linked-etag"));
  const std::string size = response.header("x-linked-size");
  const bool other_hash = !etag.empty() && etag.size() == job.remote.hash.size() && etag != job.remote.hash;
  if (other_hash || (!size.empty() && size != std::to_string(job.remote.size))) {
    throw TransientError(str_cat("[hub] ", in_quotes(job.remote.path), ": the hub speaks of another file than before"));
  }
}

void PartFetcher::check_answer(const PartTask& task, const HttpResponse& response, bool ranged) {
  FileJob& job = *task.job;
  const auto locked = queue_.lock();
  const std::string file = in_quotes(job.remote.path);
  if (ranged && response.status == 200) {
    job.no_ranges = ++job.ranges_ignored >= kIgnoredRangesBelieved;
    throw TransientError(str_cat("[hub] ", file, ": all of it came where a part was asked for"));
  }
  if (ranged) {
    const std::string wanted =
        str_cat("bytes ", job.file.position(task.part), "-", job.file.end(task.part) - 1, "/", job.remote.size);
    // A shorter range that begins right is taken for what it is.
    const std::string got = response.header("content-range");
    const size_t dash = wanted.find('-');
    const bool begins_right = got.substr(0, dash + 1) == wanted.substr(0, dash + 1);
    const bool same_size = got.ends_with("/*") || got.ends_with(str_cat("/", job.remote.size));
    if (!begins_right || !same_size) {
      throw TransientError(str_cat("[hub] ", file, ": expected '", wanted, "', got ", in_quotes(got.substr(0, 80))));
    }
    job.ranges_ignored = 0;
  }
  // A name that is new is not believed at once: bytes of two files must not be mixed. The file's hash decides in the
  // end.
  const std::string etag = plain_etag(response.header("etag"));
  const bool first = job.etags.empty();
  if (++job.etags[etag] == 1 && !first) {
    throw TransientError(str_cat("[hub] ", file, ": the server's name for it changed"));
  }
}

}  // namespace emelex
