#include "hub/download.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "base/strings.h"
#include "hub/content_check.h"
#include "hub/disk.h"
#include "hub/hash_file.h"
#include "hub/model_folder.h"
#include "hub/names.h"
#include "hub/part_fetcher.h"
#include "hub/part_queue.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kHashTries = 2;  // a file that is wrong again is wrong at its source
constexpr size_t kReadBytes = size_t{1} << 20;
// Where one connection brings so much in a second, more of them only take the processor from the hash, which ends last.
constexpr double kFastBytesPerSecond = 500e6;

bool has_size(const fs::path& path, int64_t size) {
  std::error_code error;
  const auto found = fs::file_size(path, error);
  return !error && static_cast<int64_t>(found) == size && fs::is_regular_file(path, error);
}

// The work on all files of a model: threads that fetch parts, one that hashes behind them, and the caller, who reports.
class Downloads {
 public:
  Downloads(const HubAccess& access, const RepoInfo& info, const std::vector<RemoteFile>& files, const fs::path& folder,
            const fs::path& target, const DownloadOptions& options)
      : access_(access),
        info_(info),
        files_(files),
        folder_(folder),
        target_(target),
        options_(options),
        retry_(options.retry) {
    retry_.cancel = &queue_.over_flag();
    retry_.note = [this](const std::string& line) {
      const std::lock_guard lock(notes_mutex_);
      notes_.push_back(line);
    };
    result_.resize(files.size());
    jobs_.resize(files.size());
  }

  std::vector<ModelFile> run() {
    open_jobs();
    std::vector<std::thread> threads;
    const auto join = [&] {
      for (std::thread& thread : threads) thread.join();
    };
    try {
      threads.emplace_back([this] { guarded([this] { check_files(); }); });
      const auto connect = [&] { threads.emplace_back([this] { guarded([this] { fetch_parts(); }); }); };
      connect();  // and the others once it is found to be slow
      Clock::time_point last = Clock::now();
      int64_t received = report();
      for (int connections = 1; !queue_.wait_for_end();) {
        check_cancelled(options_.retry.cancel);
        const double seconds = std::chrono::duration<double>(Clock::now() - last).count();
        last = Clock::now();
        const int64_t before = std::exchange(received, report());
        const bool fast = static_cast<double>(received - before) >= kFastBytesPerSecond * seconds;
        for (; !fast && connections < options_.connections; ++connections) connect();
      }
    } catch (...) {
      queue_.fail(std::current_exception());
      join();
      throw;
    }
    join();
    report();
    return result_;
  }

 private:
  template <class Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (...) {
      queue_.fail(std::current_exception());
    }
  }

  // What is there under its real name already, for example because a run was killed before the manifest was written.
  bool take_present(size_t i, const fs::path& folder) {
    const RemoteFile& remote = files_[i];
    const fs::path path = folder / remote.path;
    if (!has_size(path, remote.size)) return false;
    ContentCheck check(remote);
    hash_file(path, [&](std::span<const std::byte> bytes) {
      check_cancelled(options_.retry.cancel);
      check.add(bytes);
    });
    const auto sha256 = check.finish();
    if (sha256) result_[i] = {remote.path, remote.size, *sha256, remote.hash};
    return sha256.has_value();
  }

  void open_jobs() {
    const fs::path unfinished = folder_ / kUnfinishedFolder;
    create_folder(unfinished);
    std::map<std::string, int> same_content;  // of two files with one hash each is fetched for itself
    for (size_t i = 0; i < files_.size(); ++i) {
      const int copy = same_content[files_[i].hash]++;
      if (take_present(i, folder_) || (target_ != folder_ && take_present(i, target_))) continue;
      const std::string stem = copy == 0 ? files_[i].hash : str_cat(files_[i].hash, "-", copy);
      jobs_[i] = std::make_unique<FileJob>(files_[i], unfinished, stem, options_.part_bytes);
    }
    for (const auto& job : jobs_) {
      if (job) queue_.add(*job);
    }
  }

  void fetch_parts() {
    PartFetcher fetcher(access_, info_, queue_, retry_,
                        {.stall_seconds = options_.stall_seconds, .cancel = &queue_.over_flag()});
    while (auto task = queue_.next()) {
      bool complete = false;
      try {
        complete = fetcher.fetch(*task);
      } catch (...) {
        queue_.done(*task, false);
        throw;
      }
      queue_.done(*task, complete);
    }
  }

  // Hashes each file in turn, as far behind its download as there is a gap.
  void check_files() {
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (!jobs_[i]) continue;
      for (int tries = 1;; ++tries) {
        const auto sha256 = hash_behind(*jobs_[i]);
        if (queue_.over()) return;
        if (sha256) {
          const fs::path target = target_ / files_[i].path;
          create_folder(target.parent_path());
          jobs_[i]->file.move_to(target);
          result_[i] = {files_[i].path, files_[i].size, *sha256, files_[i].hash};
          jobs_[i]->checked = true;
          break;
        }
        spoiled(*jobs_[i], tries);
      }
    }
    queue_.finish();
  }

  std::optional<std::string> hash_behind(FileJob& job) {
    ContentCheck check(job.remote);
    std::vector<std::byte> buffer(kReadBytes);
    for (int64_t at = 0; at < job.remote.size;) {
      int64_t ready = 0;
      if (!queue_.wait([&] { return (ready = job.file.ready(at)) > 0; })) return {};
      const size_t n = job.file.read(at, std::span(buffer).first(std::min(static_cast<size_t>(ready), buffer.size())));
      check.add(std::span(buffer).first(n));
      at += static_cast<int64_t>(n);
    }
    // Those who brought the last bytes may still have to put that down.
    if (!queue_.wait([&] { return job.parts_left == 0 && job.active == 0; })) return {};
    return check.finish();
  }

  void spoiled(FileJob& job, int tries) {
    job.file.restart();
    const std::string text =
        str_cat("[hub] ", in_quotes(job.remote.path), ": what came is not what the hub has (its hash differs)");
    if (tries >= kHashTries) {
      throw Error(ErrorCode::network, text + "; a proxy or the disk may damage files. Try again later");
    }
    retry_.note(text + "; it is fetched again");
    queue_.add(job);
  }

  // Returns how many bytes are there.
  int64_t report() {
    PullProgress progress;
    for (size_t i = 0; i < files_.size(); ++i) {
      const bool done = !jobs_[i] || jobs_[i]->checked;
      const int64_t received = done ? files_[i].size : jobs_[i]->file.received();
      progress.files.push_back({files_[i].path, files_[i].size, received, done});
      progress.received += received;
      progress.size += files_[i].size;
    }
    {
      const std::lock_guard lock(notes_mutex_);
      progress.notes.swap(notes_);
    }
    if (options_.progress) options_.progress(progress);
    return progress.received;
  }

  const HubAccess& access_;
  const RepoInfo& info_;
  const std::vector<RemoteFile>& files_;
  const fs::path folder_;
  const fs::path target_;
  const DownloadOptions& options_;
  RetryPolicy retry_;
  PartQueue queue_;
  std::vector<std::unique_ptr<FileJob>> jobs_;  // none: it was there already
  std::vector<ModelFile> result_;
  std::mutex notes_mutex_;
  std::vector<std::string> notes_;
};

}  // namespace

std::vector<ModelFile> download_files(const HubAccess& access, const RepoInfo& info,
                                      const std::vector<RemoteFile>& files, const fs::path& folder,
                                      const fs::path& target, const DownloadOptions& options) {
  return Downloads(access, info, files, folder, target, options).run();
}

int64_t bytes_to_download(const std::vector<RemoteFile>& files, const fs::path& folder) {
  int64_t bytes = 0;
  for (const RemoteFile& file : files) {
    if (!has_size(folder / file.path, file.size)) bytes += file.size;
  }
  // What is there of unfinished ones takes room already. Their files have holes, so blocks count, not sizes.
  std::error_code error;
  for (fs::directory_iterator entry(folder / kUnfinishedFolder, error), end; !error && entry != end;
       entry.increment(error)) {
    bytes -= allocated_bytes(entry->path());
  }
  return std::max<int64_t>(0, bytes);
}

}  // namespace emelex
