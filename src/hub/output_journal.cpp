#include "hub/output_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "base/small_file.h"
#include "emelex/error.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostPathBytes = size_t{64} << 10;

fs::path journal(const fs::path& root) { return root / ".outputs"; }

class Entry {
 public:
  Entry(fs::path file, FileDescriptor fd)
      : file_(std::move(file)), folder_(file_.parent_path()), root_(folder_.parent_path()), fd_(std::move(fd)) {}
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  // Folders that were made for it alone go with it.
  ~Entry() {
    ::unlink(file_.c_str());
    if (::rmdir(folder_.c_str()) == 0) ::rmdir(root_.c_str());
  }

 private:
  fs::path file_;
  fs::path folder_;
  fs::path root_;
  FileDescriptor fd_;
};

bool is_ours(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid() &&
         (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

void visit_temporaries_of(const fs::path& output, const std::function<void(const fs::path&)>& found) {
  std::vector<fs::path> all;
  std::error_code error;
  const std::string name = output.filename().string();
  for (fs::directory_iterator entry(output.parent_path(), error), end; !error && entry != end; entry.increment(error)) {
    if (is_temporary_name(entry->path().filename().string(), name) && is_ours(entry->path()))
      all.push_back(entry->path());
  }
  for (const fs::path& path : all) found(path);
}

}  // namespace

std::shared_ptr<const void> note_output(const fs::path& root, const fs::path& output) {
  try {
    std::error_code error;
    fs::create_directories(root, error);
    if (::mkdir(journal(root).c_str(), 0700) != 0 && errno != EEXIST) return nullptr;
    fs::path path = fs::absolute(output, error).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const fs::path file = temporary_name(journal(root) / "output");
    FileDescriptor fd = open_file(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    auto entry = std::make_shared<Entry>(file, FileDescriptor(::dup(fd.get())));
    const std::string& text = path.native();
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return nullptr;
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return nullptr;
    return entry;
  } catch (const Error&) {
    return nullptr;
  }
}

void visit_left_outputs(const fs::path& root, const std::function<void(const fs::path& left)>& found) {
  std::set<fs::path> busy;
  std::vector<std::pair<fs::path, fs::path>> left;  // entry, output
  std::error_code error;
  for (fs::directory_iterator entry(journal(root), error), end; !error && entry != end; entry.increment(error)) {
    try {
      const fs::path output = read_small_file(entry->path(), {.most_bytes = kMostPathBytes});
      const FileDescriptor fd = open_regular_file(entry->path());
      if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
        left.emplace_back(entry->path(), output);
      } else {
        busy.insert(output);
      }
    } catch (const Error&) {
      continue;  // its writer has just ended
    }
  }
  for (const auto& [entry, output] : left) {
    if (output.is_absolute() && !busy.contains(output)) visit_temporaries_of(output, found);
    ::unlink(entry.c_str());
  }
}

}  // namespace emelex
