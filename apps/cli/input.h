#pragma once

#include <string>

namespace emelex::cli {

bool stdin_is_terminal();

// All bytes of stdin, as they are. Throws Error(io), or Error(cancelled) on Ctrl-C where watch_interrupts is on.
std::string read_stdin();

// All bytes of a file. Throws Error(not_found) or Error(io).
std::string read_text_file(const std::string& file);

}  // namespace emelex::cli
