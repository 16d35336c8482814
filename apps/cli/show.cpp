// emelex show: what a model's files say.

#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/output.h"
#include "cli/show_text.h"
#include "config/configuration.h"
#include "emelex/error.h"
#include "emelex/hub.h"

namespace emelex::cli {
namespace {

struct ShowFlags {
  std::string model;
  bool tensors = false;
  bool metadata = false;
  bool keys = false;
  bool chat_template = false;
  bool json = false;
  bool full = false;
};

// The very bytes, but for a terminal, which must not act on them.
std::string template_text(const ModelDescription& model, bool for_terminal) {
  const std::string& text = model.chat_template.text;
  if (text.empty()) {
    throw Error(ErrorCode::not_found,
                str_cat("[show] expected a chat template, got none in ", path_text(model.weights->path())));
  }
  if (!for_terminal) return text;
  return printable_lines(text) + (text.ends_with('\n') ? "" : "\n");
}

std::string text_of(const ModelDescription& model, const std::string& last_used, const ShowFlags& flags) {
  if (flags.chat_template) return template_text(model, standard_output().is_terminal());
  if (flags.json) return show_json(model, {flags.tensors, flags.full, last_used});
  if (flags.tensors) return show_tensors(model);
  return flags.metadata ? show_metadata(model) : show_summary(model, last_used);
}

int show(const ShowFlags& flags) {
  if (flags.tensors + flags.metadata + flags.keys + flags.chat_template > 1) {
    throw UsageError("expected one of --tensors, --metadata, --keys and --template, got several");
  }
  if (flags.json && flags.keys) throw UsageError("--keys has no JSON; leave one of --keys and --json out");
  if (flags.json && (flags.metadata || flags.chat_template)) {
    throw UsageError("--json has all metadata, with the chat template; leave out --metadata and --template");
  }
  if (flags.full && !flags.json) throw UsageError("--full needs --json");
  const LocatedModel located = model_to_look_at(flags.model, read_configuration().settings);
  if (flags.keys) {
    standard_output().write(show_keys(keys_of_model(located.path)));
    return kDone;
  }
  const std::string last_used = located.model ? located.model->last_used_at : "";
  standard_output().write(text_of(describe_model(located.path), last_used, flags));
  return kDone;
}

}  // namespace

void add_show_command(Command& program, Action& action) {
  Command command = program.add_subcommand("show", "Show what a model's files say, without loading them");
  const auto flags = std::make_shared<ShowFlags>();
  command.add_option("MODEL", flags->model, kModelHelp);
  command.add_flag("--tensors", flags->tensors, "List every tensor instead; with --json as well");
  command.add_flag("--metadata", flags->metadata, "Print all metadata instead, nothing cut");
  command.add_flag("--keys", flags->keys, "Say of each key whether the model is computed with it, and why not");
  command.add_flag("--template", flags->chat_template, "Print the chat template instead");
  command.add_flag("--json", flags->json, "Print one JSON object; arrays of more than 100 are cut");
  command.add_flag("--full", flags->full, "Cut no arrays in JSON");
  command.when_chosen([flags, &action] { action = [flags] { return show(*flags); }; });
}

}  // namespace emelex::cli
