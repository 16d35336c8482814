#include "hub/disk.h"

#include <sys/stat.h>

#include "base/strings.h"
#include "emelex/error.h"
#include "hub/names.h"

namespace emelex {
namespace {

// Room to leave: for the manifest, and for what else is on that disk.
constexpr int64_t kSpareBytes = int64_t{1} << 20;

std::string megabytes(int64_t bytes) { return str_cat((bytes + 999'999) / 1'000'000, " MB"); }

}  // namespace

int64_t allocated_bytes(const std::filesystem::path& file) {
  struct stat status {};
  return ::lstat(file.c_str(), &status) == 0 ? static_cast<int64_t>(status.st_blocks) * 512 : 0;
}

void check_disk_space(const std::filesystem::path& folder, int64_t bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error || bytes == 0) return;  // writing will tell
  const auto available = static_cast<int64_t>(space.available);
  if (available >= bytes + kSpareBytes) return;
  throw Error(ErrorCode::io,
              str_cat("[hub] expected ", megabytes(bytes + kSpareBytes), " free in ", in_quotes(folder.string()),
                      ", got ", megabytes(available), "; 'emelex gc' and 'emelex rm' make room"));
}

void remove_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error)
    throw Error(ErrorCode::io, str_cat("[hub] can't remove ", in_quotes(folder.string()), ": ", error.message()));
}

}  // namespace emelex
