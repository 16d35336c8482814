#include "cli/chat_loop.h"

#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/conversation_file.h"
#include "cli/format.h"
#include "cli/generation.h"
#include "cli/line_reader.h"
#include "cli/model_defaults.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signal.h"

namespace emelex::cli {
namespace {

constexpr int kMaxTokens = 2048;
constexpr std::string_view kQuotes = "\"\"\"";

constexpr std::string_view kHelp =
    "/help         this text\n"
    "/clear        begin a new conversation; the system message stays\n"
    "/system TEXT  set the system message; without TEXT show it\n"
    "/save FILE    write the conversation as JSON\n"
    "/load FILE    go on with a saved conversation\n"
    "/stats        speed of the last answer, and how full the context is\n"
    "/exit         leave, as Ctrl-D does\n"
    "\"\"\"           begins and ends a message of several lines\n"
    "Ctrl-C        stops an answer; drops a line; twice leaves\n";

// The text of a message that read_message gave; line ends next to the quotes are no part of it.
std::string without_quotes(std::string_view message) {
  if (!message.starts_with(kQuotes)) return std::string(message);
  message.remove_prefix(kQuotes.size());
  if (message.starts_with('\n')) message.remove_prefix(1);
  if (message.ends_with('\n')) message.remove_suffix(1);
  return std::string(message);
}

class Chat {
 public:
  Chat(Engine& engine, const RunFlags& flags) : engine_(engine), flags_(flags), session_(engine.new_session()) {
    options_ = flags.generate;
    chat_options_ = chat_options_for(engine, flags);
    options_.max_tokens = flags.max_tokens.value_or(kMaxTokens);
    options_.cancel = &interrupt_flag();
    if (!flags.system.empty()) set_system(flags.system);
  }

  int run() {
    write_stderr(str_cat(one_line(engine_.info().name), ": /help shows what you can type, Ctrl-D leaves\n"));
    while (const auto message = read_message()) {
      if (message->starts_with('/')) {
        if (!command(*message)) break;
        continue;
      }
      const std::string text = without_quotes(*message);
      if (text.find_first_not_of(" \t\r\n") == std::string::npos) continue;
      if (!answer(text) || must_end()) break;
    }
    return kDone;
  }

 private:
  // The next line, or several between """; nothing when the user leaves. A message of several lines still begins with
  // the quotes, so that it is never taken for a command.
  std::optional<std::string> read_message() {
    std::string message;
    std::string line;
    bool leaving = false;
    for (;;) {
      clear_interrupt();
      switch (reader_.read(message.empty() ? ">>> " : "... ", &line)) {
        case LineReader::Result::end:
          write_stderr("\n");
          return std::nullopt;
        case LineReader::Result::interrupt:
          if (leaving || must_end()) return std::nullopt;
          leaving = true;
          message.clear();
          write_stderr("Ctrl-C again, Ctrl-D or /exit leaves\n");
          continue;
        case LineReader::Result::line:
          leaving = false;
      }
      if (message.empty() && !line.starts_with(kQuotes)) return line;
      const bool first = message.empty();
      message += first ? line : "\n" + line;
      const bool closed = line.ends_with(kQuotes) && (!first || line.size() >= 2 * kQuotes.size());
      if (closed) return message.substr(0, message.size() - kQuotes.size());
    }
  }

  // Returns false when there is nobody left to answer.
  bool answer(const std::string& text) {
    messages_.push_back({"user", text});
    Output& output = standard_output();
    try {
      const std::vector<TokenId> prompt = engine_.chat_prompt(messages_, chat_options_);
      clear_interrupt();
      const GenerateResult result = generate_to(&output, engine_, *session_, prompt, options_);
      if (!result.text.ends_with('\n')) output.write("\n");
      if (output.reader_left()) return false;
      messages_.push_back({"assistant", result.text});
      last_stats_ = result.stats;
      report_cut(result, options_.max_tokens, engine_.info().context);
      if (flags_.stats) write_stderr(describe_stats(result.stats));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::io) throw;  // the output is gone: there is no point in going on
      messages_.pop_back();
      report_error(error);
      write_stderr("the message was not taken; /clear begins a new conversation\n");
    }
    return true;
  }

  // Returns false for /exit.
  bool command(const std::string& line) {
    const size_t space = line.find_first_of(" \t");
    const std::string name = line.substr(0, space);
    const size_t start = space == std::string::npos ? space : line.find_first_not_of(" \t", space);
    std::string argument = start == std::string::npos ? "" : line.substr(start);
    argument.erase(argument.find_last_not_of(" \t") + 1);
    try {
      return carry_out(name, argument);
    } catch (const Error& error) {
      report_error(error);
      return true;
    }
  }

  bool carry_out(const std::string& name, const std::string& argument) {
    if (name == "/exit" || name == "/quit" || name == "/bye") return false;
    if (name == "/help") {
      write_stderr(kHelp);
    } else if (name == "/clear") {
      messages_.resize(has_system() ? 1 : 0);
      session_->clear();
    } else if (name == "/system") {
      if (!argument.empty()) set_system(argument);
      write_stderr(has_system() ? str_cat("system: ", one_line(messages_[0].content), "\n") : "no system message\n");
    } else if (name == "/stats") {
      write_stderr(last_stats_ ? describe_stats(*last_stats_) : "no answer yet\n");
      write_stderr(str_cat("context:     ", session_->length(), " of ", engine_.info().context, " tokens\n"));
    } else if (name == "/save" || name == "/load") {
      if (argument.empty()) throw Error(ErrorCode::invalid_argument, str_cat("[chat] ", name, " needs a file's name"));
      if (name == "/save") {
        save_conversation(argument, messages_);
      } else {
        messages_ = load_conversation(argument);
      }
      write_stderr(str_cat(messages_.size(), name == "/save" ? " messages saved\n" : " messages loaded\n"));
    } else {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[chat] '", name, "' is no command; /help lists them, and \"\"\" begins any other text"));
    }
    return true;
  }

  bool has_system() const { return !messages_.empty() && messages_[0].role == "system"; }

  void set_system(const std::string& text) {
    if (has_system()) {
      messages_[0].content = text;
    } else {
      messages_.insert(messages_.begin(), {"system", text});
    }
  }

  Engine& engine_;
  const RunFlags& flags_;
  std::unique_ptr<Session> session_;
  GenerateOptions options_;
  ChatOptions chat_options_;
  LineReader reader_;
  std::vector<Message> messages_;
  std::optional<GenerateStats> last_stats_;
};

}  // namespace

int run_chat(Engine& engine, const RunFlags& flags) {
  report_built_in_template(engine);
  return Chat(engine, flags).run();
}

}  // namespace emelex::cli
