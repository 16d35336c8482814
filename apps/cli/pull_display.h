#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "emelex/hub.h"

namespace emelex::cli {

// How far a pull is, on stderr: in a terminal a line for each file on its way and one for all, written over; elsewhere
// a line when a file is done, and one every ten seconds.
class PullDisplay {
 public:
  PullDisplay();
  ~PullDisplay() { clear(); }
  PullDisplay(const PullDisplay&) = delete;
  PullDisplay& operator=(const PullDisplay&) = delete;

  void show(const PullProgress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  void clear();
  void draw(const PullProgress& progress);
  void print_plainly(const PullProgress& progress);
  void measure(const PullProgress& progress);
  std::string total_line(const PullProgress& progress) const;

  bool terminal_;
  size_t lines_ = 0;                // on the screen
  std::set<std::string> finished_;  // files that a line told of
  Clock::time_point printed_;
  Clock::time_point measured_;
  int64_t measured_bytes_ = -1;
  double rate_ = 0;  // bytes a second, of late
};

}  // namespace emelex::cli
