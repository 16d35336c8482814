#include "cli/model.h"

#include <iostream>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/input.h"
#include "cli/pull_display.h"
#include "cli/report.h"
#include "cli/signal.h"
#include "tools/check_model.h"

namespace emelex::cli {
namespace {

bool user_wants_pull(const std::string& name) {
  if (!stdin_is_terminal() || !stderr_is_terminal()) return false;
  write_stderr(str_cat("emelex: no model here is named '", one_line(name), "'. Pull it? [Y/n] "));
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return answer.empty() || answer[0] == 'y' || answer[0] == 'Y';
}

std::filesystem::path hold(ModelInUse model) {
  static std::vector<ModelInUse> held;
  held.push_back(std::move(model));
  return held.back().path;
}

// What `open` makes of a name, after a pull where there is need of one.
template <class Open>
auto with_pull(const std::string& name_or_path, const Settings& settings, const Open& open) {
  std::string name = name_or_path.empty() ? default_model(settings) : name_or_path;
  if (name.empty()) {
    throw UsageError("expected a model, got none; name one, or choose one for always: emelex default MODEL");
  }
  const ModelRegistry registry = open_registry(settings);
  try {
    return open(registry, name);
  } catch (const Error& error) {
    const bool missing = error.code() == ErrorCode::not_found && can_be_pulled(name);
    if (!missing || (!settings.auto_pull && !user_wants_pull(name))) throw;
  }
  return open(registry, pull_model(name, {}, settings).name);
}

}  // namespace

ModelRegistry open_registry(const Settings& settings) {
  return ModelRegistry(settings.models_dir, settings.quantization);
}

std::string default_model(const Settings& settings) {
  return settings.model.empty() ? open_registry(settings).default_model() : settings.model;
}

std::filesystem::path model_to_run(const std::string& name_or_path, const Settings& settings) {
  return with_pull(name_or_path, settings,
                   [](const ModelRegistry& registry, const std::string& name) { return hold(registry.open(name)); });
}

LocatedModel model_to_look_at(const std::string& name_or_path, const Settings& settings) {
  return with_pull(name_or_path, settings,
                   [](const ModelRegistry& registry, const std::string& name) { return registry.locate(name); });
}

InstalledModel pull_model(const std::string& what, PullOptions options, const Settings& settings) {
  watch_interrupts();
  options.cancel = &interrupt_flag();
  if (!options.check) options.check = check_model;
  PullDisplay display;
  options.progress = [&display](const PullProgress& progress) { display.show(progress); };
  return open_registry(settings).pull(what, options);
}

}  // namespace emelex::cli
