#pragma once

#include <string>
#include <string_view>

namespace emelex::cli {

// Makes text that nobody vouches for fit for a terminal. Characters that a terminal acts upon come out as text, "\x1b":
// control characters in ASCII and as ISO 6429 has them, as bytes or in UTF-8, and those that turn the direction of
// writing. So no sequence that begins with one of them reaches the terminal. Lines, tabs and all other characters stay.
// The text may come in pieces of any length, also cut within a character.
class TerminalFilter {
 public:
  // What may be shown now. The beginning of a character waits for its end.
  std::string add(std::string_view text);

  // What still waits, once no more comes.
  std::string finish();

 private:
  std::string waiting_;
};

}  // namespace emelex::cli
