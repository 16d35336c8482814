#pragma once

#include <atomic>

struct termios;

namespace emelex::cli {

// From now on the first Ctrl-C sets interrupt_flag(), and a second one before clear_interrupt() leaves at once with
// kInterrupted. SIGTERM and the other signals that end a process by default set the flag as well, and must_end(); a
// second one of them leaves at once.
// A read that waits is woken by each. Who leaves at once removes temporary files first.
void watch_interrupts();

// Set by Ctrl-C and the other signals; fit for GenerateOptions::cancel.
const std::atomic<bool>& interrupt_flag();

// Before new work that an earlier Ctrl-C does not concern. After the other signals the flag stays.
void clear_interrupt();

// Whether a signal asks the process to end: no more input is to be waited for.
bool must_end();

// Once all is put right: ends the process by the signal that asked for it. Without one it returns.
void end_by_signal();

// While a line is read from the terminal: how that is to be left should SIGTERM or a signal like it end the process,
// which it then does at once. nullptr: no line is read. What it points to must stay.
void set_prompt_terminal(const termios* terminal);

// Whether a second Ctrl-C leaves at once (as it does at first) or is like the first.
void set_second_interrupt_leaves(bool leaves);

// Writing to a pipe that nobody reads becomes an error code of write(), instead of the end of the process.
void ignore_broken_pipes();

}  // namespace emelex::cli
