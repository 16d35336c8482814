#include "text/jinja/text.h"

#include <algorithm>

namespace emelex::jinja {

Text::Text(std::string bytes, bool from_data) : bytes_(std::move(bytes)) {
  if (!bytes_.empty()) runs_.push_back({bytes_.size(), from_data});
}

Text Text::as_markup() const {
  Text out = *this;
  out.is_markup_ = true;
  return out;
}

void Text::append(std::string_view bytes, bool from_data) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  if (!runs_.empty() && runs_.back().from_data == from_data) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), from_data});
  }
}

void Text::append(const Text& other, size_t begin, size_t end) {
  const std::string_view bytes = other.bytes_;
  for (size_t run = other.run_at(begin); begin < end; ++run) {
    const size_t stop = std::min(end, other.runs_[run].end);
    append(bytes.substr(begin, stop - begin), other.runs_[run].from_data);
    begin = stop;
  }
}

Text Text::part(size_t begin, size_t end) const {
  Text out;
  out.append(*this, begin, end);
  return out;
}

bool Text::from_data(size_t position) const { return runs_[run_at(position)].from_data; }

size_t Text::run_at(size_t position) const {
  const auto run = std::upper_bound(runs_.begin(), runs_.end(), position,
                                    [](size_t place, const Run& candidate) { return place < candidate.end; });
  return static_cast<size_t>(run - runs_.begin());
}

std::vector<Segment> Text::segments() const {
  std::vector<Segment> out;
  size_t begin = 0;
  for (const Run& run : runs_) {
    out.push_back({bytes_.substr(begin, run.end - begin), run.from_data});
    begin = run.end;
  }
  return out;
}

}  // namespace emelex::jinja
