#include "cli/signal.h"

#include <signal.h>
#include <unistd.h>

#include "cli/commands.h"

namespace emelex::cli {
namespace {

std::atomic<bool> interrupted{false};
std::atomic<bool> second_leaves{true};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void on_interrupt(int) {
  if (interrupted.exchange(true) && second_leaves) _exit(kInterrupted);
}

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);  // no SA_RESTART: a read from a terminal or pipe has to return
}

const std::atomic<bool>& interrupt_flag() { return interrupted; }

void clear_interrupt() { interrupted = false; }

void set_second_interrupt_leaves(bool leaves) { second_leaves = leaves; }

void ignore_broken_pipes() { signal(SIGPIPE, SIG_IGN); }

}  // namespace emelex::cli
