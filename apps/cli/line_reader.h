#pragma once

#include <histedit.h>
#include <termios.h>

#include <string>

namespace emelex::cli {

// Needs watch_interrupts. Lines from the terminal, with editing and a history that is kept from one chat to the next.
// What it prints goes to stderr: stdout is for the model's text alone.
class LineReader {
 public:
  enum class Result { line, interrupt, end };

  LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  ~LineReader();

  // Reads one line, without its end, into `line`. `interrupt` is Ctrl-C, `end` is Ctrl-D on an empty line.
  Result read(const std::string& prompt, std::string* line);

 private:
  static char* current_prompt(EditLine* editor);
  void remember(const std::string& line);

  History* history_;
  EditLine* editor_;
  std::string prompt_;
  std::string history_file_;  // empty: not kept
  termios terminal_{};        // as it was found
  bool has_terminal_ = false;
};

}  // namespace emelex::cli
