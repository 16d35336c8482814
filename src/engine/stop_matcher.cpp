#include "engine/stop_matcher.h"

#include <algorithm>

namespace emelex {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::push(std::string_view piece) {
  if (matched_) return {};
  held_ += piece;
  // The one that is complete first, of those the longest: so it makes no difference where pieces begin and end.
  size_t begin = std::string::npos;
  size_t end = std::string::npos;
  for (const auto& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
      begin = at;
      end = at + stop.size();
    }
  }
  if (begin != std::string::npos) {
    matched_ = true;
    std::string text = held_.substr(0, begin);
    held_.clear();
    return text;
  }
  size_t keep = 0;  // the longest end of the text that begins a stop string
  for (const auto& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
      if (std::string_view(held_).substr(held_.size() - n) == std::string_view(stop).substr(0, n)) keep = n;
    }
  }
  std::string text = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return text;
}

std::string StopMatcher::finish() {
  std::string text;
  text.swap(held_);
  return text;
}

}  // namespace emelex
