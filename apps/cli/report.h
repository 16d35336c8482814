#pragma once

#include <string>
#include <string_view>

#include "emelex/engine.h"

namespace emelex::cli {

// One line each on stderr: "emelex: error: …", "emelex: warning: …", "emelex: …".
void report_error(std::string_view message);
void report_warning(std::string_view message);
void report_note(std::string_view message);

bool stderr_is_terminal();

// Lines of text on stderr. A terminal gets no character that it would act upon, see TerminalFilter.
void write_stderr(std::string_view text);

// The same as it is, for what moves the cursor: all that comes from elsewhere must have gone through one_line.
void write_stderr_raw(std::string_view text);

// A line on stderr that is written over, where stderr is a terminal; elsewhere nothing.
class StatusLine {
 public:
  StatusLine() = default;
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  void show(std::string_view text);
  void clear();

 private:
  bool shown_ = false;
};

// What the library threw, and what the user can do about it where the message doesn't say so itself.
void report_error(const Error& error);

// Says on stderr that an answer is not whole, and why; nothing when it is. `max_tokens` is the limit that was in force.
void report_cut(const GenerateResult& result, int max_tokens, int context);

// Says on stderr that the model has no chat template of its own, and what stands in for it; nothing when it has.
void report_built_in_template(const Engine& engine);

// Says on stderr why a model does not run by the cuda kernels where it was to, and what runs it; else nothing.
void report_not_cuda(const ModelInfo& model);

// Three lines for people: prompt, generated text, time to the first token.
std::string describe_stats(const GenerateStats& stats);

}  // namespace emelex::cli
