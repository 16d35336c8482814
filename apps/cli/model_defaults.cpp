#include "cli/model_defaults.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/strings.h"
#include "cli/report.h"
#include "emelex/error.h"

namespace emelex::cli {
namespace {

using Json = nlohmann::ordered_json;

// Both names that templates have for it.
Json thinking_variables(bool think) { return {{"enable_thinking", think}, {"thinking", think}}; }

Json variables_of(const std::string& text) {
  if (text.empty()) return Json::object();
  Json variables = ordered_json_of(text);
  if (!variables.is_object()) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[run] expected a JSON object as --variables, got ", quote_bytes(text)));
  }
  return variables;
}

std::string with_thinking(Json variables, bool think) {
  variables.update(thinking_variables(think));
  return json_text(variables);
}

// Whether the template writes different prompts for thinking and not thinking.
bool has_thinking(const ChatTemplate& chat_template, const Json& variables) {
  const std::vector<Message> messages = {{"user", "?"}};
  ChatOptions on;
  on.variables = with_thinking(variables, true);
  ChatOptions off;
  off.variables = with_thinking(variables, false);
  return chat_template.render(messages, on) != chat_template.render(messages, off);
}

}  // namespace

SamplingOptions sampling_for(const Engine& engine, const Configuration& configuration, const SamplingOptions& given) {
  SamplingOptions options = configuration.settings.sampling;
  options.seed = given.seed;
  const SamplingDefaults& model = engine.sampling_defaults();
  const auto use = [&](std::string_view setting, const auto& from, auto& to) {
    if (from && configuration.origin(setting).source == SettingSource::built_in) to = *from;
  };
  use("temperature", model.temperature, options.temperature);
  use("top_p", model.top_p, options.top_p);
  use("top_k", model.top_k, options.top_k);
  use("min_p", model.min_p, options.min_p);
  use("repeat_penalty", model.repeat_penalty, options.repeat_penalty);
  if (model.repeat_window) options.repeat_window = *model.repeat_window;
  return options;
}

ChatOptions chat_options_for(const Engine& engine, const RunFlags& flags) {
  ChatOptions options;
  const Json variables = variables_of(flags.variables);
  if (!variables.empty()) options.variables = json_text(variables);
  if (!flags.think) return options;
  if (!has_thinking(engine.chat_template(), variables)) {
    throw Error(ErrorCode::invalid_argument,
                "[run] expected a model whose chat template can turn thinking on and off, got one that takes no such "
                "variable; leave --think out");
  }
  options.variables = with_thinking(variables, *flags.think);
  return options;
}

void report_model_warnings(const Engine& engine) {
  for (const std::string& warning : engine.warnings()) report_warning(warning);
}

void report_two_bos(const Engine& engine, std::span<const TokenId> prompt) {
  const TokenId bos = engine.tokenizer().bos();
  if (bos < 0 || prompt.size() < 2 || prompt[0] != bos || prompt[1] != bos) return;
  report_warning(str_cat("the prompt begins with two begin-of-sequence tokens (", bos,
                         "): the model adds one, and the text has one; leave it out of the text"));
}

}  // namespace emelex::cli
