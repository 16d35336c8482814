// emelex run: one answer, or a chat.

#include <memory>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/chat_loop.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/generation.h"
#include "cli/input.h"
#include "cli/model.h"
#include "cli/model_defaults.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signal.h"
#include "config/configuration.h"
#include "emelex/hub.h"

namespace emelex::cli {
namespace {

constexpr int kMaxTokens = 1000;

bool wants_chat(const RunFlags& flags) {
  return !flags.prompt && !flags.prompt_flag && flags.file.empty() && stdin_is_terminal();
}

void check_flags(const RunFlags& flags, bool chat) {
  if (flags.prompt && flags.prompt_flag) throw UsageError("expected one prompt, got PROMPT and -p; leave one out");
  if (flags.raw && !flags.system.empty()) throw UsageError("--system needs the chat template, which --raw leaves out");
  if (flags.raw && (flags.think || !flags.variables.empty())) {
    throw UsageError("--think and --variables need the chat template, which --raw leaves out");
  }
  if (chat && flags.raw) throw UsageError("--raw needs a prompt, it can't chat");
  if (chat && flags.json) throw UsageError("--json needs a prompt, it can't chat");
  for (const std::string& stop : flags.generate.stop) {
    if (stop.empty()) throw UsageError("--stop expected some text, got none");
  }
}

// The file's text, then the prompt. As parts of a chat message they are set apart; a raw prompt is left as it is.
std::string compose_prompt(const RunFlags& flags) {
  const bool from_stdin = !flags.prompt && !flags.prompt_flag && !stdin_is_terminal();
  std::string prompt = flags.prompt        ? *flags.prompt
                       : flags.prompt_flag ? *flags.prompt_flag
                       : from_stdin        ? read_stdin()
                                           : "";
  // "echo question | emelex run" doesn't mean the line's end.
  if (from_stdin && !flags.raw && prompt.ends_with('\n')) prompt.pop_back();
  const std::string text = flags.file.empty() ? "" : read_text_file(flags.file);
  if (text.empty() && prompt.empty()) throw UsageError("expected a prompt, got an empty one");
  const bool apart = !flags.raw && !text.empty() && !prompt.empty();
  return text + (apart ? "\n\n" : "") + prompt;
}

std::vector<TokenId> encode_prompt(const Engine& engine, const RunFlags& flags, const std::string& prompt) {
  if (flags.raw) return engine.raw_prompt(prompt);
  report_built_in_template(engine);
  std::vector<Message> messages;
  if (!flags.system.empty()) messages.push_back({"system", flags.system});
  messages.push_back({"user", prompt});
  return engine.chat_prompt(messages, chat_options_for(engine, flags));
}

std::string result_json(const Engine& engine, const GenerateResult& result) {
  const GenerateStats& stats = result.stats;
  const JsonDocument json = {{"model", engine.info().name},
                             {"text", result.text},
                             {"finish", to_string(result.finish)},
                             {"context", engine.info().context},
                             {"kv_bytes_per_token", engine.info().kv_bytes_per_token},
                             {"stats",
                              {{"prompt_tokens", stats.prompt_tokens},
                               {"cached_tokens", stats.cached_tokens},
                               {"generated_tokens", stats.generated_tokens},
                               {"time_to_first_token_seconds", stats.queue_seconds + stats.prefill_seconds},
                               {"decode_seconds", stats.decode_seconds},
                               {"longest_gap_seconds", stats.longest_gap_seconds},
                               {"prompt_tokens_per_second", stats.prefill_tokens_per_second()},
                               {"generated_tokens_per_second", stats.decode_tokens_per_second()}}}};
  return ascii_escapes(json.text()) + "\n";
}

int answer_once(Engine& engine, const RunFlags& flags, const std::string& prompt) {
  GenerateOptions options = flags.generate;
  options.max_tokens = flags.max_tokens.value_or(kMaxTokens);
  options.cancel = &interrupt_flag();

  Output& output = standard_output();
  const auto session = engine.new_session();
  const std::vector<TokenId> ids = encode_prompt(engine, flags, prompt);
  report_two_bos(engine, ids);
  const GenerateResult result = generate_to(flags.json ? nullptr : &output, engine, *session, ids, options);
  if (flags.json) {
    output.write(result_json(engine, result));
  } else if (output.is_terminal() && !result.text.ends_with('\n')) {
    output.write("\n");
  } else if (flags.stats && !result.text.ends_with('\n')) {
    write_stderr("\n");  // the text that is not on this terminal may have left the line open
  }
  if (output.reader_left()) return kDone;
  report_cut(result, options.max_tokens, engine.info().context);
  if (flags.stats) write_stderr(describe_stats(result.stats));
  return result.finish == FinishReason::cancelled ? kInterrupted : kDone;
}

// A single argument names the model; someone who has a default model may have meant a prompt.
std::filesystem::path find_model(const RunFlags& flags, const Settings& settings) {
  try {
    return model_to_run(flags.model, settings);
  } catch (const Error& error) {
    const bool alone = !flags.model.empty() && !flags.prompt && !default_model(settings).empty();
    if (error.code() != ErrorCode::not_found || !alone) throw;
    throw Error(error.code(), str_cat(error.what(), "; -p gives a prompt to the default model"));
  }
}

int run(const RunFlags& given) {
  RunFlags flags = given;
  const bool chat = wants_chat(flags);
  check_flags(flags, chat);
  watch_interrupts();
  const Configuration configuration = read_configuration(flags.runtime.settings);
  const Settings& settings = configuration.settings;
  const std::filesystem::path model = find_model(flags, settings);
  const std::string prompt = chat ? "" : compose_prompt(flags);
  const auto engine = Engine::load(model, flags.runtime.load_options(settings));
  report_not_cuda(engine->info());
  flags.generate.sampling = sampling_for(*engine, configuration, flags.generate.sampling);
  report_model_warnings(*engine);
  return chat ? run_chat(*engine, flags) : answer_once(*engine, flags, prompt);
}

}  // namespace

void add_run_command(Command& program, Action& action) {
  Command command =
      program.add_subcommand("run", "Answer a prompt, or chat when there is none and stdin is a terminal");
  const auto flags = std::make_shared<RunFlags>();
  add_run_flags(command, *flags);
  command.when_chosen([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace emelex::cli
