#include "engine/generation.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

using Clock = Generation::Clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

void check_prompt(std::span<const TokenId> prompt, const GenerationLimits& limits) {
  if (prompt.empty()) throw Error(ErrorCode::invalid_argument, "[engine] expected a prompt, got no tokens");
  for (const TokenId id : prompt) {
    if (id < 0 || id >= limits.vocab_size) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[engine] expected token ids below ", limits.vocab_size, ", got ", id));
    }
  }
  if (prompt.size() > static_cast<size_t>(limits.context)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] the prompt has ", prompt.size(), " tokens and the context holds ", limits.context,
                        "; shorten it, or raise the context (the model's own limit is ", limits.model_context, ")"));
  }
}

// The prompt as it fits into the context, if the options say what may be dropped.
std::vector<TokenId> fit_prompt(std::vector<TokenId> prompt, const GenerateOptions& options, int context) {
  if (!options.keep_head || prompt.size() <= static_cast<size_t>(context)) return prompt;
  const int head = *options.keep_head;
  if (head < 0 || head >= context) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] expected keep_head from 0 to ", context - 1, ", got ", head));
  }
  const int tail = std::max(context - head - options.max_tokens, (context - head + 1) / 2);
  prompt.erase(prompt.begin() + head, prompt.end() - tail);
  return prompt;
}

void check_options(const GenerateOptions& options) {
  if (options.max_tokens < 0) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[engine] expected max_tokens of 0 or more, got ", options.max_tokens));
  }
  for (const std::string& stop : options.stop) {
    // Others could end within a character, and the text before them would not be UTF-8.
    if (stop.empty() || valid_utf8_prefix(stop) != stop.size()) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[engine] expected a stop text of valid UTF-8 that is not empty, got ", quote_bytes(stop)));
    }
  }
}

}  // namespace

Generation::Generation(const Tokenizer& tokenizer, std::vector<TokenId> prompt, const GenerateOptions& options,
                       const GenerationLimits& limits)
    : tokenizer_(&tokenizer),
      max_tokens_(options.max_tokens),
      context_(limits.context),
      sampler_(options.sampling),
      decoder_(tokenizer),
      stops_(options.stop) {
  check_options(options);
  const size_t whole = prompt.size();
  tokens_ = fit_prompt(std::move(prompt), options, limits.context);
  check_prompt(tokens_, limits);
  result_.stats.dropped_tokens = static_cast<int>(whole - tokens_.size());
  result_.stats.prompt_tokens = static_cast<int>(tokens_.size());
}

void Generation::begin() {
  begun_ = first_token_ = last_token_ = Clock::now();
  result_.stats.queue_seconds = seconds(submitted_, begun_);
}

std::string Generation::add(TokenId id) {
  GenerateStats& stats = result_.stats;
  const auto now = Clock::now();
  if (stats.generated_tokens == 0) {
    first_token_ = now;
  } else {
    stats.longest_gap_seconds = std::max(stats.longest_gap_seconds, seconds(last_token_, now));
  }
  last_token_ = now;
  if (tokenizer_->is_end(id)) return end(FinishReason::stop_token);
  ++stats.generated_tokens;
  std::string text = stops_.push(decoder_.push(id));
  const auto ends = [&](FinishReason reason) {
    result_.text += text;
    return text + end(reason);
  };
  if (stops_.matched()) return ends(FinishReason::stop_string);
  if (stats.generated_tokens == max_tokens_) return ends(FinishReason::max_tokens);
  if (static_cast<int>(tokens_.size()) >= context_) return ends(FinishReason::context_full);
  result_.text += text;
  tokens_.push_back(id);
  return text;
}

std::string Generation::end(FinishReason reason) {
  std::string text;
  if (!ended_ && !stops_.matched()) {
    text = stops_.push(decoder_.finish());
    if (!stops_.matched()) text += stops_.finish();
  }
  ended_ = true;
  result_.text += text;
  result_.finish = stops_.matched() ? FinishReason::stop_string : reason;
  return text;
}

GenerateResult Generation::take_result() {
  const bool none = result_.stats.generated_tokens == 0;
  const auto end = Clock::now();
  result_.stats.prefill_seconds = seconds(begun_, none ? end : first_token_);
  result_.stats.decode_seconds = none ? 0 : seconds(first_token_, end);
  return std::move(result_);
}

}  // namespace emelex
