#include "tools/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>

#include "base/strings.h"
#include "engine/runner.h"
#include "tools/read_probe.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;

// Made-up token ids: speed does not depend on the text, and these need no tokenizer.
std::vector<TokenId> some_tokens(int n, int vocab_size) {
  std::vector<TokenId> tokens(static_cast<size_t>(n));
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<TokenId>((i * 7919 + 13) % static_cast<size_t>(vocab_size));
  return tokens;
}

// The sequences of one test, filled to its depth.
class Sequences {
 public:
  Sequences(Runner& runner, int count, int depth) : runner_(runner) {
    ids_.push_back(runner.cache().create());
    fill(ids_.front(), 0, depth);
    while (static_cast<int>(ids_.size()) < count) ids_.push_back(runner.cache().fork(ids_.front()));
  }
  ~Sequences() {
    for (const SequenceId id : ids_) runner_.cache().release(id);
  }
  Sequences(const Sequences&) = delete;
  Sequences& operator=(const Sequences&) = delete;

  const std::vector<SequenceId>& ids() const { return ids_; }

  void trim(int depth) {
    for (const SequenceId id : ids_) fill(id, runner_.cache().trim(id, depth), depth);
  }

 private:
  // Layers with a window may have nothing left of what a sequence had.
  void fill(SequenceId id, int length, int depth) {
    const auto tokens = some_tokens(depth, runner_.vocab_size());
    if (length < depth) runner_.append(id, std::span(tokens).subspan(static_cast<size_t>(length)), Want::nothing);
  }

  Runner& runner_;
  std::vector<SequenceId> ids_;
};

double run_prompt(Runner& runner, const Sequences& sequences, int n) {
  const auto tokens = some_tokens(n, runner.vocab_size());
  const auto begin = Clock::now();
  for (const SequenceId id : sequences.ids()) runner.append(id, tokens);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr int kTokensPerProbe = 4;

// `probe` may be nullptr; its time does not count.
double run_generate(Runner& runner, const Sequences& sequences, int n, ReadProbe* probe) {
  std::vector<TokenId> tokens = some_tokens(static_cast<int>(sequences.ids().size()), runner.vocab_size());
  double seconds = 0;
  for (int i = 0; i < n; ++i) {
    if (probe != nullptr && i % kTokensPerProbe == 0) probe->read(runner.packed_weights());
    const auto begin = Clock::now();
    // The likeliest token goes on, as in a real generation.
    const auto likeliest = runner.decode_likeliest(sequences.ids(), tokens);
    std::copy(likeliest.begin(), likeliest.end(), tokens.begin());
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return seconds;
}

BenchRow summarize(std::string test, std::vector<double> rates) {
  BenchRow row;
  row.test = std::move(test);
  row.repetitions = static_cast<int>(rates.size());
  std::sort(rates.begin(), rates.end());
  const auto n = static_cast<double>(rates.size());
  row.mean = std::accumulate(rates.begin(), rates.end(), 0.0) / n;
  double squares = 0;
  for (const double rate : rates) squares += (rate - row.mean) * (rate - row.mean);
  row.stddev = rates.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  row.min = rates.front();
  row.max = rates.back();
  row.median = (rates[(rates.size() - 1) / 2] + rates[rates.size() / 2]) / 2;
  return row;
}

class Bench {
 public:
  Bench(Runner& runner, const BenchOptions& options, const BenchProgress& progress)
      : runner_(runner), options_(options), progress_(progress) {
    if (options.probe) probe_.emplace(runner.info().threads);
  }

  BenchRow prompt(int n) {
    return measure(name("pp", n), n, [n](Runner& runner, const Sequences& s) { return run_prompt(runner, s, n); });
  }

  BenchRow generate(int n) {
    ReadProbe* probe = probe_ ? &*probe_ : nullptr;
    auto row = measure(name("tg", n), n,
                       [&](Runner& runner, const Sequences& s) { return run_generate(runner, s, n, probe); });
    if (probe_) row.memory_bytes_per_second = probe_->bytes_per_second();
    // One step reads the weights once for all sequences, and each sequence's cache. How many experts several sequences
    // need between them is not known.
    const ModelInfo& model = runner_.info();
    if (model.experts > 0 && options_.batch > 1) return row;
    const double kv_bytes = static_cast<double>(model.kv_bytes_per_token) * (options_.depth + n / 2.0);
    row.bytes_per_second =
        row.mean / options_.batch * (static_cast<double>(model.active_bytes) + options_.batch * kv_bytes);
    return row;
  }

 private:
  std::string name(const char* kind, int n) const {
    std::string text = str_cat(kind, n);
    if (options_.depth > 0) text += str_cat(" @ d", options_.depth);
    if (options_.batch > 1) text += str_cat(" x b", options_.batch);
    return text;
  }

  template <class Run>
  BenchRow measure(const std::string& test, int n, const Run& run) {
    if (n < 1) throw Error(ErrorCode::invalid_argument, str_cat("[bench] expected 1 token or more, got ", n));
    if (int64_t{options_.depth} + n > runner_.info().context) {
      throw Error(ErrorCode::invalid_argument, str_cat("[bench] ", test, " does not fit in the model's context of ",
                                                       runner_.info().context, " tokens"));
    }
    Sequences sequences(runner_, options_.batch, options_.depth);
    std::vector<double> rates;
    for (int i = 0; i <= options_.repetitions; ++i) {
      if (progress_)
        progress_(str_cat(test, i == 0 ? ": warm-up" : str_cat(": run ", i, " of ", options_.repetitions)));
      const double time = run(runner_, sequences);
      sequences.trim(options_.depth);
      if (i == 0 && probe_) probe_->start_over();
      if (i > 0) rates.push_back(static_cast<double>(n) * options_.batch / time);
    }
    return summarize(test, std::move(rates));
  }

  Runner& runner_;
  const BenchOptions& options_;
  const BenchProgress& progress_;
  std::optional<ReadProbe> probe_;
};

// Tokens that the longest test needs, or as many as the model has; which are too few is for the test to say.
int context_for(const Weights& weights, const BenchOptions& options) {
  const std::string key = weights.metadata().require_string("general.architecture") + ".context_length";
  int longest = 1;
  for (const int n : options.prompt) longest = std::max(longest, n);
  for (const int n : options.generate) longest = std::max(longest, n);
  const int64_t needed = int64_t{options.depth} + longest;
  return static_cast<int>(std::min(needed, weights.metadata().integer(key).value_or(needed)));
}

}  // namespace

BenchReport run_bench(const std::filesystem::path& model, const BenchOptions& options, const BenchProgress& progress) {
  if (options.repetitions < 1 || options.batch < 1 || options.depth < 0) {
    throw Error(ErrorCode::invalid_argument,
                "[bench] expected at least 1 repetition and 1 sequence, and a depth of 0 or more");
  }
  const auto weights = open_weights(model);
  LoadOptions load = options.load;
  load.context = context_for(*weights, options);
  Runner runner(weights, load);
  BenchReport report{runner.info(), {}};
  Bench bench(runner, options, progress);
  for (const int n : options.prompt) report.rows.push_back(bench.prompt(n));
  for (const int n : options.generate) report.rows.push_back(bench.generate(n));
  return report;
}

}  // namespace emelex
