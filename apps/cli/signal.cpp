#include "cli/signal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "cli/commands.h"

namespace emelex::cli {
namespace {

constexpr int kBySignal = 128;  // a shell adds a signal's number to it
// What others send to end a process, or ends it by default. Left out: Ctrl-C, broken pipes, profilers' timers, a
// program's own faults.
constexpr int kEnding[] = {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU};

std::atomic<bool> interrupted{false};
std::atomic<bool> second_leaves{true};
std::atomic<int> ended_by{0};
std::atomic<const termios*> prompt_terminal{nullptr};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may only touch lock-free atomics");

[[noreturn]] void leave_now(int code) {
  remove_temporary_files();
  _exit(code);
}

extern "C" void on_interrupt(int) {
  if (interrupted.exchange(true) && second_leaves) leave_now(kInterrupted);
}

// While a line is read, libedit holds the process and the terminal: nothing else is to be put right, and nobody looks
// at the flag. (tcsetattr and raise are safe in a handler.)
void leave_prompt(int number) {
  const termios* terminal = prompt_terminal;
  if (terminal == nullptr) return;
  tcsetattr(STDIN_FILENO, TCSANOW, terminal);
  signal(number, SIG_DFL);
  raise(number);  // is delivered when the handler returns
}

// The first one asks for an orderly end, in which files are removed and the terminal is put right.
extern "C" void on_end(int number) {
  leave_prompt(number);
  if (prompt_terminal.load() != nullptr) return;
  if (ended_by.exchange(number) != 0) leave_now(kBySignal + number);
  interrupted = true;
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);  // no SA_RESTART: a read from a terminal or pipe has to return
}

}  // namespace

void watch_interrupts() {
  handle(SIGINT, on_interrupt);
  for (const int number : kEnding) {
    struct sigaction old {};
    // What nohup has the process ignore stays ignored.
    const bool ignored = sigaction(number, nullptr, &old) == 0 && old.sa_handler == SIG_IGN;
    if (number != SIGHUP || !ignored) handle(number, on_end);
  }
}

const std::atomic<bool>& interrupt_flag() { return interrupted; }

void clear_interrupt() { interrupted = ended_by != 0; }

bool must_end() { return ended_by != 0; }

void end_by_signal() {
  const int number = ended_by;
  if (number == 0) return;
  signal(number, SIG_DFL);
  raise(number);
}

void set_prompt_terminal(const termios* terminal) { prompt_terminal = terminal; }

void set_second_interrupt_leaves(bool leaves) { second_leaves = leaves; }

void ignore_broken_pipes() { signal(SIGPIPE, SIG_IGN); }

}  // namespace emelex::cli
