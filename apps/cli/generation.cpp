#include "cli/generation.h"

namespace emelex::cli {

GenerateResult generate_to(Output* output, Engine& engine, Session& session, std::span<const TokenId> prompt,
                           const GenerateOptions& options) {
  const auto on_text = [output](std::string_view text) { return output == nullptr || output->write(text); };
  return engine.generate(session, prompt, options, on_text);
}

}  // namespace emelex::cli
