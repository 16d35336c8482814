#include "text/files/turn_ends.h"

#include <algorithm>

#include "base/strings.h"
#include "text/files/gguf_tokenizer.h"
#include "text/vocabulary/control_names.h"

namespace emelex {
namespace {

bool is_special(const Vocabulary& vocabulary, TokenId id) {
  const TokenType type = vocabulary.type(id);
  return type == TokenType::control || type == TokenType::user_defined;
}

// The special tokens that end a turn by their names, and two facts about the vocabulary.
struct NamedEnds {
  explicit NamedEnds(const Vocabulary& vocabulary) {
    bool returns = false, calls = false, flushes = false;
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      if (!is_special(vocabulary, id)) continue;
      const std::string_view text = vocabulary.text(id);
      returns |= text == "<|return|>";
      calls |= text == "<|call|>" || text == "<|calls|>";
      flushes |= text == "<|flush|>";
      if (text == "<|tool_response>" || text == "<|plamo:eos|>") eos_is_text = true;
      if (ends_turn(text)) ids.push_back(id);
    }
    end_is_a_message = calls && (returns || flushes);
  }

  // Tokens with these names end something smaller than a turn in some vocabularies.
  bool is_no_end(std::string_view text) const {
    return (end_is_a_message && text == "<|end|>") || (eos_is_text && text == "</s>");
  }

  std::vector<TokenId> ids;
  bool end_is_a_message = false;  // "<|end|>" ends one message of a turn, as in harmony
  bool eos_is_text = false;       // "</s>" is no more than text
};

}  // namespace

TurnEnds gguf_turn_ends(const Metadata& metadata) {
  TurnEnds ends;
  const auto add = [&](const char* name) {
    const std::string key = str_cat("tokenizer.ggml.", name, "_token_id");
    const bool is_there = metadata.contains(key);
    if (is_there) ends.ids.push_back(read_gguf_id(metadata, key));
    return is_there;
  };
  add("eos");
  for (const char* name : {"eot", "eom"}) ends.complete |= add(name);
  for (const char* name : {"fim_pad", "fim_rep", "fim_sep"}) add(name);
  if (const auto list = metadata.integers(kTurnEndsKey)) {
    ends.ids.insert(ends.ids.end(), list->begin(), list->end());
    ends.complete = true;
  }
  return ends;
}

std::vector<TokenId> ends_of_turn(const TokenizerSource& source, const Vocabulary& vocabulary,
                                  std::vector<std::string>& warnings) {
  const NamedEnds named(vocabulary);
  const bool is_gguf = source.shared != nullptr;
  bool complete = source.ends.complete;
  std::vector<TokenId> ends;
  const auto add = [&](TokenId id) {
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  };
  for (const int64_t id : source.ends.ids) {
    if (id < 0 || id >= vocabulary.size()) {
      warnings.push_back(str_cat("token ", id, " ends a turn by the model's files but is beyond the vocabulary's ",
                                 vocabulary.size(), " tokens; it is left out (", source.where(), ")"));
      continue;
    }
    // Converters guess a GGUF file's keys by name, too.
    if (is_gguf && named.is_no_end(vocabulary.text(static_cast<TokenId>(id)))) {
      complete = false;
      continue;
    }
    add(static_cast<TokenId>(id));
  }
  if (complete && !ends.empty()) return ends;
  for (const TokenId id : named.ids) {
    if (!named.is_no_end(vocabulary.text(id))) add(id);
  }
  return ends;
}

}  // namespace emelex
