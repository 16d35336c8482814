#include "engine/generate.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/strings.h"
#include "engine/stop_matcher.h"
#include "sampling/sampler.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

void check_prompt(const Runner& runner, std::span<const TokenId> prompt) {
  if (prompt.empty()) throw Error(ErrorCode::invalid_argument, "[engine] expected a prompt, got no tokens");
  for (const TokenId id : prompt) {
    if (id < 0 || id >= runner.vocab_size()) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[engine] expected token ids below ", runner.vocab_size(), ", got ", id));
    }
  }
  const auto context = static_cast<size_t>(runner.info().context);
  if (prompt.size() > context) {
    throw Error(
        ErrorCode::invalid_argument,
        str_cat("[engine] the prompt has ", prompt.size(), " tokens and the context holds ", context,
                "; shorten it, or raise the context (the model's own limit is ", runner.info().model_context, ")"));
  }
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

// Trims the sequence to what it has in common with the prompt. At least one token of the prompt is always left to
// compute, since its logits are needed.
int reuse_prefix(Runner& runner, CachedSequence& sequence, std::span<const TokenId> prompt) {
  // Fewer than it was to hold when the cache has lost its contents to the failure of another sequence's step.
  const auto held = static_cast<size_t>(runner.cache().length(sequence.id));
  sequence.tokens.resize(std::min(sequence.tokens.size(), held));
  const size_t most = std::min(sequence.tokens.size(), prompt.size() - 1);
  size_t common = 0;
  while (common < most && sequence.tokens[common] == prompt[common]) ++common;
  const bool long_rope = runner.needs_long_rope(static_cast<int>(prompt.size()));
  if (long_rope != sequence.long_rope) common = 0;
  sequence.long_rope = long_rope;
  // Less may be left of it where layers have a window.
  common = static_cast<size_t>(runner.cache().trim(sequence.id, static_cast<int>(common)));
  sequence.tokens.resize(common);
  return static_cast<int>(common);
}

// However the generation ends, the sequence's tokens are those that the cache holds.
class KeepInStep {
 public:
  KeepInStep(const KvCache& cache, CachedSequence& sequence) : cache_(cache), sequence_(sequence) {}
  ~KeepInStep() {
    const auto held = static_cast<size_t>(cache_.length(sequence_.id));
    sequence_.tokens.resize(std::min(sequence_.tokens.size(), held));
  }
  KeepInStep(const KeepInStep&) = delete;
  KeepInStep& operator=(const KeepInStep&) = delete;

 private:
  const KvCache& cache_;
  CachedSequence& sequence_;
};

// The text side of a generation: bytes → characters → text without stop strings → the caller.
class TextOutput {
 public:
  TextOutput(const Tokenizer& tokenizer, const std::vector<std::string>& stop, const TextCallback& emit)
      : decoder_(tokenizer), stops_(stop), emit_(emit) {}

  // False when the generation should end.
  bool push(TokenId id) { return give(stops_.push(decoder_.push(id))) && !stops_.matched(); }

  void finish() {
    if (stops_.matched() || !listening_) return;
    if (!give(stops_.push(decoder_.finish())) || stops_.matched()) return;
    give(stops_.finish());
  }

  bool matched() const { return stops_.matched(); }
  std::string take_text() { return std::move(text_); }

 private:
  bool give(const std::string& piece) {
    if (piece.empty()) return true;
    text_ += piece;
    listening_ = !emit_ || emit_(piece);
    return listening_;
  }

  StreamDecoder decoder_;
  StopMatcher stops_;
  const TextCallback& emit_;
  std::string text_;
  bool listening_ = true;
};

}  // namespace

GenerateResult generate(Runner& runner, const Tokenizer& tokenizer, CachedSequence& sequence,
                        std::span<const TokenId> prompt, const GenerateOptions& options, const TextCallback& emit) {
  const auto begin = Clock::now();
  check_prompt(runner, prompt);
  check_options(options);
  Sampler sampler(options.sampling);
  TextOutput output(tokenizer, options.stop, emit);
  GenerateResult result;
  GenerateStats& stats = result.stats;
  const auto cancelled = [&] { return options.cancel != nullptr && options.cancel->load(std::memory_order_relaxed); };

  const KeepInStep keep_in_step(runner.cache(), sequence);
  stats.prompt_tokens = static_cast<int>(prompt.size());
  stats.cached_tokens = reuse_prefix(runner, sequence, prompt);
  sequence.tokens.assign(prompt.begin(), prompt.end());
  const auto rest = prompt.subspan(static_cast<size_t>(stats.cached_tokens));
  std::span<float> logits = runner.append_part(sequence.id, rest, sequence.long_rope, Want::last, cancelled);
  std::optional<TokenId> likeliest;  // instead of logits

  auto first_token = Clock::now();
  result.finish = FinishReason::max_tokens;
  while (true) {
    if ((logits.empty() && !likeliest) || cancelled()) {
      result.finish = FinishReason::cancelled;
      break;
    }
    if (options.max_tokens == 0) break;
    const TokenId id = likeliest ? Sampler::take(*likeliest) : sampler.sample(logits, sequence.tokens);
    if (stats.generated_tokens == 0) first_token = Clock::now();
    if (tokenizer.is_end(id)) {
      result.finish = FinishReason::stop_token;
      break;
    }
    ++stats.generated_tokens;
    if (!output.push(id)) {
      result.finish = output.matched() ? FinishReason::stop_string : FinishReason::cancelled;
      break;
    }
    if (stats.generated_tokens == options.max_tokens) break;
    if (static_cast<int>(sequence.tokens.size()) >= runner.info().context) {
      result.finish = FinishReason::context_full;
      break;
    }
    sequence.tokens.push_back(id);
    sequence.long_rope = runner.needs_long_rope(static_cast<int>(sequence.tokens.size()));
    if (sampler.takes_likeliest()) {
      likeliest = runner.append_last_likeliest(sequence.id, sequence.tokens);
    } else {
      logits = runner.append_last(sequence.id, sequence.tokens);
    }
  }
  output.finish();
  if (output.matched()) result.finish = FinishReason::stop_string;
  stats.prefill_seconds = seconds(begin, first_token);
  stats.decode_seconds = seconds(first_token, Clock::now());
  result.text = output.take_text();
  return result;
}

}  // namespace emelex
