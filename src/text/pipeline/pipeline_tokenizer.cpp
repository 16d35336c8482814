#include "text/pipeline/pipeline_tokenizer.h"

#include "base/strings.h"
#include "emelex/error.h"
#include "text/pipeline/pipeline_run.h"
#include "text/vocabulary/control_names.h"

namespace emelex {
PipelineTokenizer::PipelineTokenizer(Pipeline pipeline)
    : parts_(std::move(pipeline)), ends_(static_cast<size_t>(parts_.vocabulary->size())) {
  for (const TokenId id : parts_.ends) ends_[static_cast<size_t>(id)] = true;
}

std::vector<TokenId> PipelineTokenizer::encode(std::string_view text, SpecialTokens special) const {
  Stretches stretches;
  if (special == SpecialTokens::parse && !text.empty()) stretches.emplace_back(0, text.size());
  return PipelineRun(parts_, text, stretches).encode();
}

std::vector<TokenId> PipelineTokenizer::encode_segments(std::span<const Segment> segments) const {
  std::string text;
  Stretches stretches;
  for (const Segment& segment : segments) {
    const size_t begin = text.size();
    text += segment.text;
    if (segment.from_message || segment.text.empty()) continue;
    if (!stretches.empty() && stretches.back().second == begin) {
      stretches.back().second = text.size();
    } else {
      stretches.emplace_back(begin, text.size());
    }
  }
  return PipelineRun(parts_, text, stretches).encode();
}

bool PipelineTokenizer::is_hidden(TokenId id) const {
  const TokenType type = parts_.vocabulary->type(id);
  if (type == TokenType::control) return !marks_reasoning(parts_.vocabulary->text(id));
  return type == TokenType::unknown;
}

std::string PipelineTokenizer::decode(TokenId id, bool show_special, bool is_first) const {
  if (id < 0 || id >= vocab_size()) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[tokenizer] expected a token id from 0 to ", vocab_size() - 1, ", got ", id));
  }
  std::string_view text = parts_.vocabulary->text(id);
  if (is_hidden(id)) return show_special ? std::string(text) : "";
  if (const auto changed = parts_.found_as.find(id); changed != parts_.found_as.end()) text = changed->second;
  // A space that is a byte's token was in the text.
  return parts_.decoder.decode(text, is_first && parts_.vocabulary->type(id) != TokenType::byte);
}

std::string PipelineTokenizer::decode_token(TokenId id, bool show_special) const {
  return decode(id, show_special, false);
}

std::string PipelineTokenizer::decode_next(TokenId id, bool show_special, bool& at_start) const {
  std::string text = decode(id, show_special, at_start);
  if (show_special || !is_hidden(id)) at_start = at_start && parts_.decoder.stays_first(text);
  return text;
}

bool PipelineTokenizer::is_end(TokenId id) const {
  return id >= 0 && id < vocab_size() && ends_[static_cast<size_t>(id)];
}

}  // namespace emelex
