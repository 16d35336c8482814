#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// A compiled regular expression over UTF-8 with Unicode properties. `\s`, `\w` and their opposites mean Unicode's
// White_Space and words, as in the engines that models' tokenizers were trained with (PCRE2's own differ).
// Immutable; safe to use from any thread.
class Regex {
 public:
  // Who wrote the pattern: emelex, or a file, whose patterns are Oniguruma's, may be wrong, and may be slow on purpose.
  enum class From { emelex, file };

  // Throws Error(unsupported) with `source` when a file's pattern can't be had.
  explicit Regex(std::string_view pattern, From from = From::emelex, std::string_view source = {});
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Appends the successive matches in `text`, and what lies between them, leaving out what is empty: a match of nothing
  // is a cut. `text` must be valid UTF-8.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

  // The same, with what is a match and what is not, and matches of nothing.
  struct Part {
    std::string_view text;
    bool is_match;
  };
  void find_parts(std::string_view text, std::vector<Part>& parts) const;

  // `text` with `to` in place of each match.
  std::string replace(std::string_view text, std::string_view to) const;

 private:
  struct Compiled;

  template <class Visit>
  void visit(std::string_view text, const Visit& visit) const;

  std::unique_ptr<Compiled> compiled_;
};

}  // namespace emelex
