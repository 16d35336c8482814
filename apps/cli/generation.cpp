#include "cli/generation.h"

#include <exception>

namespace emelex::cli {

GenerateResult generate_to(Output* output, Engine& engine, Session& session, std::span<const TokenId> prompt,
                           const GenerateOptions& options) {
  // Kept until the engine is done: nothing should be thrown through it.
  std::exception_ptr output_error;
  const auto on_text = [&](std::string_view text) {
    if (output == nullptr) return true;
    try {
      return output->write(text);
    } catch (...) {
      output_error = std::current_exception();
      return false;
    }
  };
  GenerateResult result = engine.generate(session, prompt, options, on_text);
  if (output_error) std::rethrow_exception(output_error);
  return result;
}

}  // namespace emelex::cli
