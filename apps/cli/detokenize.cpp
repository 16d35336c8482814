// emelex detokenize: the text of tokens.

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/text_files.h"
#include "config/configuration.h"
#include "emelex/error.h"
#include "emelex/tokenizer.h"

namespace emelex::cli {
namespace {

struct DetokenizeFlags {
  std::string model;
  std::vector<std::string> ids;
  bool special = false;
};

// Numbers with white space or commas between them, and perhaps brackets around them as in JSON.
std::vector<TokenId> ids_in(std::string_view text) {
  constexpr std::string_view kBetween = " \t\r\n,[]";
  std::vector<TokenId> ids;
  for (size_t at = text.find_first_not_of(kBetween); at < text.size(); at = text.find_first_not_of(kBetween, at)) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    TokenId id = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size()) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[detokenize] expected the numbers of tokens, got ", escape_bytes(word.substr(0, 40))));
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

int detokenize(const DetokenizeFlags& flags) {
  const std::filesystem::path model = resolve_text_files(flags.model, read_configuration().settings);
  std::string words;
  for (const std::string& id : flags.ids) words += id + " ";
  const std::vector<TokenId> ids = ids_in(flags.ids.empty() ? read_stdin() : words);
  const std::string text = load_tokenizer(model)->decode(ids, flags.special);
  Output& output = standard_output();
  output.write(text);
  if (output.is_terminal() && !text.ends_with('\n')) output.write("\n");
  return kDone;
}

}  // namespace

void add_detokenize_command(Command& program, Action& action) {
  Command command = program.add_subcommand("detokenize", "Show the text of tokens");
  const auto flags = std::make_shared<DetokenizeFlags>();
  command.add_option("MODEL", flags->model,
                     "A .gguf file, a folder with a tokenizer, or a name that 'emelex list' shows [the default model]");
  command.add_option("IDS", flags->ids, "The tokens' numbers; without them stdin is read");
  command.add_flag("--special", flags->special, "Show control tokens such as <|im_end|> as well");
  command.when_chosen([flags, &action] { action = [flags] { return detokenize(*flags); }; });
}

}  // namespace emelex::cli
