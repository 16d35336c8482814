// emelex template: a conversation as the text that the model is given.

#include <memory>
#include <string>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/text_files.h"
#include "config/configuration.h"
#include "emelex/chat.h"

namespace emelex::cli {
namespace {

struct TemplateFlags {
  std::string model;
  std::string messages;
  std::string tools;
  std::string documents;
  std::string variables;
  std::string name;
  bool no_generation_prompt = false;
  bool continue_final = false;
  bool json = false;
};

std::string text_of_file(const std::string& file) { return file.empty() ? "" : read_text_file(file); }

ChatOptions options_of(const TemplateFlags& flags) {
  ChatOptions options;
  options.add_generation_prompt = !flags.no_generation_prompt && !flags.continue_final;
  options.continue_final_message = flags.continue_final;
  options.tools = text_of_file(flags.tools);
  options.documents = text_of_file(flags.documents);
  options.variables = flags.variables;
  options.template_name = flags.name;
  return options;
}

std::string segments_json(const std::vector<Segment>& segments) {
  JsonDocument list = JsonDocument::array();
  std::string text;
  for (const Segment& segment : segments) {
    text += segment.text;
    list.push_back({{"text", segment.text}, {"from_message", segment.from_message}});
  }
  return ascii_escapes(JsonDocument({{"text", text}, {"segments", list}}).text()) + "\n";
}

std::string joined(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

int show_prompt(const TemplateFlags& flags) {
  const std::filesystem::path model = resolve_text_files(flags.model, read_configuration().settings);
  const std::string messages = flags.messages.empty() ? read_stdin() : read_text_file(flags.messages);
  const auto chat_template = load_chat_template(model);
  const auto segments = chat_template->render_segments(messages_from_json(messages), options_of(flags));
  if (!chat_template->built_in().empty()) {
    report_note(
        str_cat("the model has no chat template; this is the built-in one for ", chat_template->built_in(), " models"));
  }
  Output& output = standard_output();
  const std::string text = flags.json ? segments_json(segments) : joined(segments);
  output.write(text);
  if (output.is_terminal() && !text.ends_with('\n')) output.write("\n");
  return kDone;
}

}  // namespace

void add_template_command(Command& program, Action& action) {
  Command command = program.add_subcommand("template", "Show a conversation as the text that the model is given");
  const auto flags = std::make_shared<TemplateFlags>();
  command.add_option(
      "MODEL", flags->model,
      "A .gguf file, a folder with a chat template, or a name that 'emelex list' shows [the default model]");
  command.add_option("-m,--messages", flags->messages,
                     "A JSON file: [{\"role\": \"user\", \"content\": \"…\"}, …]; without it stdin is read");
  command.add_option("--tools", flags->tools, "A JSON file with a list of tools, as in OpenAI's API");
  command.add_option("--documents", flags->documents, "A JSON file with a list of documents");
  command.add_option("--variables", flags->variables,
                     "More that the template asks for: '{\"enable_thinking\": false}'");
  command.add_option("--template", flags->name,
                     "Which of the model's templates; else the one for tools, or the default");
  command.add_flag("--no-generation-prompt", flags->no_generation_prompt, "Leave out the beginning of the answer");
  command.add_flag("--continue", flags->continue_final, "End within the last message, for the model to go on with it");
  command.add_flag("--json", flags->json, "Print one JSON object: the text, and in segments who wrote what");
  command.when_chosen([flags, &action] { action = [flags] { return show_prompt(*flags); }; });
}

}  // namespace emelex::cli
