#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/faults.h"
#include "emelex/error.h"

namespace emelex {

// A thread that runs `work`. Throws Error(out_of_memory), which names `purpose` ("the engine"), when the system has
// none to give: a limit of processes (RLIMIT_NPROC, a container's pids.max) or no memory for its stack.
template <class Work>
std::thread start_thread(const std::string& purpose, Work&& work) {
  try {
    if (faults::fails(faults::Call::start_thread)) {
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return std::thread(std::forward<Work>(work));
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::out_of_memory, "[threads] can't start a thread for " + purpose + " (" +
                                              error.code().message() +
                                              "); use fewer threads, or raise the limit of processes");
  }
}

}  // namespace emelex
