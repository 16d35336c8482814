#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/durable_file.h"

namespace emelex {

// Keeps other processes from changing a model's folder at the same time. The lock is a file of its own beside the
// folders, <root>/.locks/<folder>, since the folder itself may go; it is the system's (flock), so it ends with the
// process however that ends.
class ModelLock {
 public:
  // Waits for whoever has it, calling `on_wait` once. Throws Error(cancelled), or Error(io), also when that takes
  // longer than a pull of a very large model.
  ModelLock(const std::filesystem::path& root, const std::string& folder_name, const std::atomic<bool>* cancel,
            const std::function<void()>& on_wait, std::chrono::seconds longest_wait = std::chrono::hours(12));

  // Without waiting: whether it was to be had.
  static bool try_lock(const std::filesystem::path& root, const std::string& folder_name, FileDescriptor* held);

 private:
  FileDescriptor fd_;
};

// Says that this process uses the model, for as long as what is returned lives. Needs no right to write.
std::shared_ptr<const void> hold_model(const std::filesystem::path& manifest);

// Whether some process has said so.
bool is_in_use(const std::filesystem::path& manifest);

}  // namespace emelex
