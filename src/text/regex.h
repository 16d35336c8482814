#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace emelex {

// A compiled regular expression over UTF-8 with Unicode properties. `\s` and `\S` mean Unicode's White_Space, as in the
// engines that models' tokenizers were trained with (PCRE2's own counts U+180E as well). Immutable; safe to use from
// any thread.
class Regex {
 public:
  // `pattern` is one of emelex's own; it must not be able to match nothing.
  explicit Regex(std::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Appends the successive matches in `text`, and what lies between them. `text` must be valid UTF-8.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace emelex
