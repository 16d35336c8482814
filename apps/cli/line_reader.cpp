#include "cli/line_reader.h"

#include <fcntl.h>
#include <langinfo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/signal.h"

namespace emelex::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr off_t kMostHistoryBytes = off_t{64} << 20;

// libedit drops what the locale calls invalid, and a terminal without a locale still sends UTF-8.
void choose_utf8_locale() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "UTF-8");  // macOS knows the latter
}

// $XDG_STATE_HOME/OpenAgents/emelex/history, on macOS below Application Support. Empty when there is no home.
std::string make_history_file() {
  namespace fs = std::filesystem;
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '\0') home = nullptr;
  fs::path folder;
#ifdef __APPLE__
  if (home != nullptr) folder = fs::path(home) / "Library" / "Application Support";
#else
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') {
    folder = state;
  } else if (home != nullptr) {
    folder = fs::path(home) / ".local" / "state";
  }
#endif
  if (folder.empty()) return "";
  folder = folder / "OpenAgents" / "emelex";
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path file = folder / "history";
  // What people ask a model is theirs alone.
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd < 0) return "";
  struct stat status {};
  const bool small = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= kMostHistoryBytes;
  ::close(fd);
  return small ? file.string() : "";  // libedit would wait for a pipe, and read a device for ever
}

}  // namespace

LineReader::LineReader() : history_(history_init()), history_file_(make_history_file()) {
  choose_utf8_locale();
  has_terminal_ = ::tcgetattr(STDIN_FILENO, &terminal_) == 0;
  editor_ = el_init("emelex", stdin, stderr, stderr);
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryLines);
  history(history_, &event, H_SETUNIQUE, 1);
  if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());

  el_set(editor_, EL_CLIENTDATA, this);
  el_set(editor_, EL_PROMPT, &LineReader::current_prompt);
  el_set(editor_, EL_HIST, history, history_);
  el_set(editor_, EL_EDITOR, "emacs");
  el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_source(editor_, nullptr);  // the user's own ~/.editrc
}

LineReader::~LineReader() {
  el_end(editor_);
  history_end(history_);
}

char* LineReader::current_prompt(EditLine* editor) {
  LineReader* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  return self->prompt_.data();
}

LineReader::Result LineReader::read(const std::string& prompt, std::string* line) {
  prompt_ = prompt;
  int length = 0;
  // Leaving from within the handler would leave the terminal in the state for editing.
  set_second_interrupt_leaves(false);
  if (has_terminal_) set_prompt_terminal(&terminal_);
  const char* text = el_gets(editor_, &length);
  set_prompt_terminal(nullptr);
  set_second_interrupt_leaves(true);
  if (interrupt_flag()) {
    clear_interrupt();
    std::fputs("\n", stderr);
    return Result::interrupt;
  }
  if (text == nullptr || length <= 0) return Result::end;
  line->assign(text, static_cast<size_t>(length));
  if (line->ends_with('\n')) line->pop_back();
  remember(*line);
  return Result::line;
}

void LineReader::remember(const std::string& line) {
  if (line.find_first_not_of(" \t") == std::string::npos) return;
  HistEvent event;
  history(history_, &event, H_ENTER, line.c_str());
  if (!history_file_.empty()) history(history_, &event, H_SAVE, history_file_.c_str());
}

}  // namespace emelex::cli
