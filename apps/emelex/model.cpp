#include "emelex/model.h"

#include <cstdlib>
#include <iostream>
#include <vector>

#include "base/strings.h"
#include "emelex/input.h"
#include "emelex/pull_display.h"
#include "emelex/report.h"
#include "emelex/signal.h"

namespace emelex::cli {
namespace {

bool pulls_unasked() {
  const char* value = std::getenv("EMELEX_AUTO_PULL");
  return value != nullptr && std::string(value) == "1";
}

bool user_wants_pull(const std::string& name) {
  if (!stdin_is_terminal() || !stderr_is_terminal()) return false;
  write_stderr(str_cat("emelex: no model here is named '", name, "'. Pull it? [Y/n] "));
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return answer.empty() || answer[0] == 'y' || answer[0] == 'Y';
}

std::filesystem::path hold(ModelInUse model) {
  static std::vector<ModelInUse> held;
  held.push_back(std::move(model));
  return held.back().path;
}

}  // namespace

std::filesystem::path model_to_run(const std::string& name_or_path) {
  try {
    return hold(open_model(name_or_path));
  } catch (const Error& error) {
    const bool missing = error.code() == ErrorCode::not_found && can_be_pulled(name_or_path);
    if (!missing || (!pulls_unasked() && !user_wants_pull(name_or_path))) throw;
  }
  return hold(Registry().open(pull_model(name_or_path, {}).name));
}

InstalledModel pull_model(const std::string& what, PullOptions options) {
  watch_interrupts();
  options.cancel = &interrupt_flag();
  PullDisplay display;
  options.progress = [&display](const PullProgress& progress) { display.show(progress); };
  return Registry().pull(what, options);
}

}  // namespace emelex::cli
