#pragma once

#include <atomic>

namespace emelex::cli {

// From now on the first Ctrl-C sets interrupt_flag(), and a second one before clear_interrupt() leaves at once with
// kInterrupted. A read that waits is woken by it.
void watch_interrupts();

// Set by Ctrl-C; fit for GenerateOptions::cancel.
const std::atomic<bool>& interrupt_flag();

// Before new work that an earlier Ctrl-C does not concern.
void clear_interrupt();

// Whether a second Ctrl-C leaves at once (as it does at first) or is like the first.
void set_second_interrupt_leaves(bool leaves);

// Writing to a pipe that nobody reads becomes an error code of write(), instead of the end of the process.
void ignore_broken_pipes();

}  // namespace emelex::cli
