#include "cli/report.h"

#include <unistd.h>

#include "base/strings.h"
#include "cli/format.h"

namespace emelex::cli {
namespace {

std::string_view advice(ErrorCode code) {
  switch (code) {
    case ErrorCode::corrupt_file:
      return "; if the file was cut or changed on its way, get or import it again";
    case ErrorCode::out_of_memory:
      return "; use a smaller model or --context";
    case ErrorCode::device:
      return "; --device cpu does without it";
    case ErrorCode::internal:
      return "; this is a bug in emelex, please report it";
    default:
      return "";
  }
}

}  // namespace

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) != 0; }

void write_stderr(std::string_view text) {
  write_stderr_raw(stderr_is_terminal() ? printable_lines(text) : std::string(text));
}

void write_stderr_raw(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;  // there is no other place to complain
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void StatusLine::show(std::string_view text) {
  if (!stderr_is_terminal()) return;
  write_stderr_raw(str_cat("\r\x1B[K", one_line(text)));
  shown_ = true;
}

void StatusLine::clear() {
  if (shown_) write_stderr_raw("\r\x1B[K");
  shown_ = false;
}

void report_error(std::string_view message) { write_stderr(str_cat("emelex: error: ", one_line(message), "\n")); }

void report_warning(std::string_view message) { write_stderr(str_cat("emelex: warning: ", one_line(message), "\n")); }

void report_note(std::string_view message) { write_stderr(str_cat("emelex: ", one_line(message), "\n")); }

void report_error(const Error& error) { report_error(str_cat(error.what(), advice(error.code()))); }

void report_cut(const GenerateResult& result, int max_tokens, int context) {
  if (result.finish == FinishReason::max_tokens && max_tokens > 0) {
    report_note(str_cat("the answer was cut off after ", max_tokens, " tokens; --max-tokens allows more"));
  } else if (result.finish == FinishReason::context_full) {
    report_note(str_cat("the answer was cut off: the context of ", context, " tokens is full; --context allows more"));
  } else if (result.finish == FinishReason::cancelled) {
    report_note("interrupted; the answer is incomplete");
  }
}

void report_built_in_template(const Engine& engine) {
  const std::string_view family = engine.chat_template().built_in();
  if (family.empty()) return;
  report_note(str_cat("'", engine.info().name, "' has no chat template; the built-in one for ", family,
                      " models stands in, --raw does without"));
}

void report_not_cuda(const ModelInfo& model) {
  if (model.not_cuda.empty()) return;
  report_note(str_cat("'", model.name, "' runs on the ", model.device, " by the ", model.kernels,
                      " kernels, not by those for NVIDIA GPUs: ", model.not_cuda));
}

std::string describe_stats(const GenerateStats& stats) {
  return str_cat("prompt:      ", stats.prompt_tokens, " tokens (", stats.cached_tokens, " cached), ",
                 fixed(stats.prefill_tokens_per_second(), 1), " tok/s\n",  //
                 "generated:   ", stats.generated_tokens, " tokens, ", fixed(stats.decode_tokens_per_second(), 1),
                 " tok/s\n",  //
                 "first token: ", fixed(stats.queue_seconds + stats.prefill_seconds, 3), " s\n");
}

}  // namespace emelex::cli
