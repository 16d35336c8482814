// emelex tokenize: a text as the model's tokens.

#include <memory>
#include <optional>

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
#include "emelex/tokenizer.h"

namespace emelex::cli {
namespace {

struct TokenizeFlags {
  std::string model;
  std::optional<std::string> text;
  bool ids = false;
  bool json = false;
  bool special = false;
};

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const int length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(static_cast<size_t>(length));
  }
  return true;
}

// A piece may be a part of a character, which JSON text can't hold: then its bytes are given as well.
JsonDocument token_json(TokenId id, const std::string& piece) {
  JsonDocument token = {{"id", id}, {"piece", piece}};
  if (!is_utf8(piece)) token.set("bytes", std::vector<uint8_t>(piece.begin(), piece.end()));
  return token;
}

std::string tokens_text(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, const TokenizeFlags& flags) {
  const auto piece = [&tokenizer](TokenId id) { return tokenizer.decode_token(id, true); };
  if (flags.json) {
    JsonDocument tokens = JsonDocument::array();
    for (TokenId id : ids) tokens.push_back(flags.ids ? JsonDocument(id) : token_json(id, piece(id)));
    return ascii_escapes(tokens.text()) + "\n";
  }
  std::string text;
  for (TokenId id : ids) {
    text += flags.ids ? str_cat(id, "\n") : str_cat(id, "\t", escape_bytes(piece(id)), "\n");
  }
  return text;
}

int tokenize(const TokenizeFlags& flags) {
  const std::filesystem::path model = resolve_text_files(flags.model, read_configuration().settings);
  const std::string text = flags.text ? *flags.text : read_stdin();
  const auto tokenizer = load_tokenizer(model);
  for (const std::string& warning : tokenizer->warnings()) report_warning(warning);
  const auto ids = tokenizer->encode(text, flags.special ? SpecialTokens::parse : SpecialTokens::as_text);
  standard_output().write(tokens_text(*tokenizer, ids, flags));
  return kDone;
}

}  // namespace

void add_tokenize_command(Command& program, Action& action) {
  Command command = program.add_subcommand("tokenize", "Show a text as the model's tokens");
  const auto flags = std::make_shared<TokenizeFlags>();
  command.add_option("MODEL", flags->model,
                     "A .gguf file, a folder with a tokenizer, or a name that 'emelex list' shows [the default model]");
  command.add_option("TEXT", flags->text, "Without it stdin is read");
  command.add_flag("--ids", flags->ids, "Print the numbers alone");
  command.add_flag("--json", flags->json, "Print one JSON array");
  command.add_flag("--special", flags->special, "Take text such as <|im_end|> for the control token of that name");
  command.when_chosen([flags, &action] { action = [flags] { return tokenize(*flags); }; });
}

}  // namespace emelex::cli
