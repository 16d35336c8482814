#include "hub/model_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/strings.h"
#include "emelex/hub.h"
#include "hub/names.h"
#include "hub/retry.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

FileDescriptor open_lock(const fs::path& root, const std::string& folder_name) {
  const fs::path folder = root / ".locks";
  std::error_code error;
  fs::create_directories(root, error);
  // Whoever could open a lock could hold it.
  if (::mkdir(folder.c_str(), 0700) != 0 && errno == EEXIST) ::chmod(folder.c_str(), 0700);
  if (!fs::is_directory(fs::symlink_status(folder, error))) {
    throw Error(ErrorCode::io, str_cat("[hub] can't write in ", in_quotes(root.string()), ": ", error.message(),
                                       "; EMELEX_MODELS_DIR names another place"));
  }
  return open_file(folder / folder_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
}

// False when someone else has it.
bool try_flock(int fd, int how, const fs::path& file) {
  for (;;) {
    if (::flock(fd, how | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno == ENOTSUP || errno == ENOLCK) return true;  // some network disks have no locks
    if (errno != EINTR) throw_errno("can't lock", file);
  }
}

}  // namespace

ModelLock::ModelLock(const fs::path& root, const std::string& folder_name, const std::atomic<bool>* cancel,
                     const std::function<void()>& on_wait, std::chrono::seconds longest_wait)
    : fd_(open_lock(root, folder_name)) {
  constexpr double kSecondsBetweenTries = 0.05;
  const auto end = std::chrono::steady_clock::now() + longest_wait;
  for (bool waiting = false; !try_flock(fd_.get(), LOCK_EX, root / ".locks" / folder_name); waiting = true) {
    if (!waiting && on_wait) on_wait();
    if (std::chrono::steady_clock::now() >= end) {
      throw Error(ErrorCode::io, str_cat("[hub] another process has been at work on ", in_quotes(folder_name),
                                         " for too long; end that, or try again later"));
    }
    sleep_unless_cancelled(kSecondsBetweenTries, cancel);
  }
}

bool ModelLock::try_lock(const fs::path& root, const std::string& folder_name, FileDescriptor* held) {
  *held = open_lock(root, folder_name);
  return try_flock(held->get(), LOCK_EX, root / ".locks" / folder_name);
}

std::shared_ptr<const void> hold_model(const fs::path& manifest) {
  auto fd = std::make_shared<FileDescriptor>(open_file(manifest, O_RDONLY));
  try_flock(fd->get(), LOCK_SH, manifest);  // someone who is just asking is_in_use may have it: it will ask in vain
  return fd;
}

bool is_in_use(const fs::path& manifest) {
  const FileDescriptor fd = open_file(manifest, O_RDONLY);
  return !try_flock(fd.get(), LOCK_EX, manifest);
}

}  // namespace emelex
