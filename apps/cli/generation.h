#pragma once

#include <span>

#include "cli/output.h"
#include "emelex/engine.h"

namespace emelex::cli {

// Engine::generate with its text streamed to `output`, or to nowhere when that is null. Stops early, with
// FinishReason::cancelled, when nobody reads the output any more. Throws Error, also for what went wrong with the
// output.
GenerateResult generate_to(Output* output, Engine& engine, Session& session, std::span<const TokenId> prompt,
                           const GenerateOptions& options);

}  // namespace emelex::cli
