#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/tokenizer.h"

namespace emelex::jinja {

// A string that knows which of its bytes came in with the data and which were written by the template. Whatever is
// done to it, each byte keeps its origin: that is how text of a user can't become a control token.
class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, bool from_data = false);

  // The same as HTML: what is joined to it from now on gets its signs escaped, as with Python's Markup. Parts and
  // changes of it are plain text again.
  Text as_markup() const;
  bool is_markup() const { return is_markup_; }

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  void append(std::string_view bytes, bool from_data = false);
  void append(const Text& other) { append(other, 0, other.size()); }
  void append(const Text& other, size_t begin, size_t end);  // a part of it, by bytes

  Text part(size_t begin, size_t end) const;  // by bytes
  bool from_data(size_t position) const;      // of the byte there

  std::vector<Segment> segments() const;

 private:
  struct Run {
    size_t end;
    bool from_data;
  };

  size_t run_at(size_t position) const;

  std::string bytes_;
  std::vector<Run> runs_;  // neighbours differ; the last ends where bytes_ does
  bool is_markup_ = false;
};

}  // namespace emelex::jinja
