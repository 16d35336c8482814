#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// Finds stop strings in streamed text, also across the borders of its pieces. Text that may still become a stop string
// is held back, so that no part of one is ever given out.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  // The text that is safe to show once `piece` has been added. After a match: the text before it, and nothing more.
  std::string push(std::string_view piece);

  // What was held back, when no more text comes.
  std::string finish();

  bool matched() const { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace emelex
