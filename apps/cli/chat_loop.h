#pragma once

#include "cli/options.h"
#include "emelex/engine.h"

namespace emelex::cli {

// A conversation on the terminal until the user leaves. Returns the exit code.
int run_chat(Engine& engine, const RunFlags& flags);

}  // namespace emelex::cli
