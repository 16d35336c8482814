#include "tools/evaluate.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/strings.h"
#include "base/thread_pool.h"
#include "engine/runner.h"
#include "model_files/model_files.h"
#include "text/files/tokenizer_factory.h"
#include "tools/prediction_stats.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;
using WeightsPtr = std::shared_ptr<const Weights>;

constexpr int kLeastContext = 4;
constexpr size_t kMostLogits = size_t{16} << 20;  // of a model in memory at once: 64 MB

void check_options(const EvaluateOptions& options) {
  if (options.context < kLeastContext || options.chunks < 0) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[eval] expected a context of at least ", kLeastContext, " tokens and 0 chunks or more, got ",
                        options.context, " and ", options.chunks));
  }
}

// Else a token would be another word to each, and their predictions could not be compared.
void check_same_vocabulary(const ModelFiles& one, const ModelFiles& other) {
  constexpr const char* kKey = "tokenizer.ggml.tokens";
  const auto* tokens = one.tokenizer.keys().strings(kKey);
  const auto* others = other.tokenizer.keys().strings(kKey);
  if (tokens == nullptr || others == nullptr) return;  // their number is compared once the models are loaded
  const auto [a, b] = std::mismatch(tokens->begin(), tokens->end(), others->begin(), others->end());
  if (a == tokens->end() && b == others->end()) return;
  const auto name = [](const auto& at, const auto& end) { return at == end ? "none" : quote_bytes(*at); };
  throw Error(ErrorCode::invalid_argument,
              str_cat("[eval] expected two models with the same vocabulary, got token ", a - tokens->begin(), " as ",
                      name(a, tokens->end()), " in ", path_text(one.weights->path()), " and as ",
                      name(b, others->end()), " in ", path_text(other.weights->path())));
}

// The model's, or that of the one which it is compared with: a folder may be without, or have one that emelex lacks.
std::unique_ptr<Tokenizer> tokenizer_of(const ModelFiles& files, const ModelFiles& other) {
  try {
    return make_tokenizer(files.tokenizer);
  } catch (const Error&) {
    if (other.weights == nullptr) throw;
  }
  return make_tokenizer(other.tokenizer);
}

std::unique_ptr<Runner> make_runner(const WeightsPtr& weights, const EvaluateOptions& options, KernelBackend kernels) {
  LoadOptions load = options.load;
  load.kernels = kernels;
  load.context = options.context;
  return std::make_unique<Runner>(weights, load);
}

// A sequence of a runner that will have `length` tokens, released at the end.
class Sequence {
 public:
  Sequence(Runner& runner, size_t length)
      : runner_(runner), id_(runner.cache().create()), long_rope_(runner.needs_long_rope(static_cast<int>(length))) {}
  ~Sequence() { runner_.cache().release(id_); }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  void append(std::span<const TokenId> tokens) { runner_.append_part(id_, tokens, long_rope_, Want::nothing); }
  // → logits [tokens, vocab_size], valid until the next call
  std::span<const float> predict(std::span<const TokenId> tokens) {
    return runner_.append_part(id_, tokens, long_rope_, Want::all);
  }

 private:
  Runner& runner_;
  SequenceId id_;
  bool long_rope_;
};

class Evaluation {
 public:
  Evaluation(const std::filesystem::path& model, const EvaluateOptions& options);

  EvaluateReport run(std::string_view text, const std::function<void(const EvaluateProgress&)>& progress);

 private:
  void check_sizes() const;
  std::vector<TokenId> encode(std::string_view text) const;
  bool measure_chunk(std::vector<TokenId> tokens);
  void measure(std::span<const TokenId> next, std::span<const float> own, std::span<const float> other);
  void add_chunk();
  bool adds_bos() const { return tokenizer_->adds_bos() && tokenizer_->bos() >= 0; }
  bool cancelled() const { return options_.cancel != nullptr && options_.cancel->load(); }

  const EvaluateOptions& options_;
  ModelFiles files_;
  ModelFiles other_files_;  // without weights where the same model is compared
  WeightsPtr weights_;
  WeightsPtr other_weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<Runner> other_;
  std::unique_ptr<ThreadPool> pool_;
  size_t read_piece_ = 0;     // tokens that are computed at once where their logits are not wanted
  size_t predict_piece_ = 0;  // and where they are, which then are in memory

  std::vector<PredictionPair> chunk_;  // of the chunk under way; it counts as a whole or not at all
  RunningMean nll_;
  ComparisonStats comparison_;
};

Evaluation::Evaluation(const std::filesystem::path& model, const EvaluateOptions& options) : options_(options) {
  check_options(options);
  files_ = open_model(model);
  weights_ = files_.weights;
  if (!options.against.empty()) {
    other_files_ = open_model(options.against);
    other_weights_ = other_files_.weights;
  } else if (options.against_kernels != KernelBackend::automatic) {
    other_weights_ = weights_;
  }
  for (const WeightsPtr& weights : {weights_, other_weights_}) {
    if (weights) check_architecture(weights->metadata());
  }
  if (other_files_.weights) check_same_vocabulary(files_, other_files_);
  tokenizer_ = tokenizer_of(files_, other_files_);
}

void Evaluation::check_sizes() const {
  if (other_ && other_->vocab_size() != runner_->vocab_size()) {
    throw Error(
        ErrorCode::invalid_argument,
        str_cat("[eval] expected two models with the same vocabulary, got ", runner_->vocab_size(), " tokens in ",
                path_text(weights_->path()), " and ", other_->vocab_size(), " in ", path_text(other_weights_->path())));
  }
  if (tokenizer_->vocab_size() > runner_->vocab_size()) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[eval] expected as many tokens as the model predicts, ", runner_->vocab_size(), ", got ",
                        tokenizer_->vocab_size(), " in the vocabulary of ", path_text(weights_->path())));
  }
}

std::vector<TokenId> Evaluation::encode(std::string_view text) const {
  std::vector<TokenId> tokens = tokenizer_->encode(text, SpecialTokens::as_text);
  if (adds_bos()) tokens.insert(tokens.begin(), tokenizer_->bos());
  if (tokens.size() < static_cast<size_t>(options_.context)) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[eval] expected a text of at least ", options_.context, " tokens, one chunk, got ",
                        tokens.size(), "; use a longer text or a smaller --context"));
  }
  return tokens;
}

EvaluateReport Evaluation::run(std::string_view text, const std::function<void(const EvaluateProgress&)>& progress) {
  const std::vector<TokenId> tokens = encode(text);  // first: a text that is too short needs no model
  runner_ = make_runner(weights_, options_, options_.load.kernels);
  const bool own_kernels = options_.against_kernels == KernelBackend::automatic;
  if (other_weights_) {
    other_ = make_runner(other_weights_, options_, own_kernels ? options_.load.kernels : options_.against_kernels);
  }
  check_sizes();
  pool_ = std::make_unique<ThreadPool>(runner_->info().threads);
  const size_t rows = std::max<size_t>(kMostLogits / static_cast<size_t>(runner_->vocab_size()), 1);
  read_piece_ = static_cast<size_t>(runner_->prefill_chunk());
  predict_piece_ = std::min(rows, read_piece_);

  EvaluateReport report;
  report.model = runner_->info();
  if (other_) report.other = other_->info();
  report.context = options_.context;
  report.text_tokens = static_cast<int64_t>(tokens.size());
  const auto n = static_cast<size_t>(options_.context);
  report.chunks_wanted = static_cast<int>(std::min<size_t>(tokens.size() / n, 1U << 30));
  if (options_.chunks > 0) report.chunks_wanted = std::min(report.chunks_wanted, options_.chunks);
  const auto begin = Clock::now();
  for (int i = 0; i < report.chunks_wanted; ++i) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(i) * n);
    if (!measure_chunk({first, first + static_cast<std::ptrdiff_t>(n)})) break;
    report.chunks = i + 1;
    report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const double left = report.seconds / report.chunks * (report.chunks_wanted - report.chunks);
    if (progress) progress({report.chunks, report.chunks_wanted, perplexity_of(nll_).value, left});
  }
  report.cancelled = report.chunks < report.chunks_wanted;
  report.predictions = nll_.count();
  report.perplexity = perplexity_of(nll_);
  if (other_) report.comparison = comparison_.comparison();
  return report;
}

// False when it was cancelled.
bool Evaluation::measure_chunk(std::vector<TokenId> tokens) {
  if (adds_bos()) tokens.front() = tokenizer_->bos();
  const std::span<const TokenId> all = tokens;
  chunk_.clear();
  Sequence own(*runner_, all.size() - 1);
  std::optional<Sequence> other;
  if (other_) other.emplace(*other_, all.size() - 1);

  // The first half is only read; the last token predicts nothing that is known.
  const size_t half = all.size() / 2;
  const size_t last = all.size() - 1;
  size_t n = 0;
  for (size_t at = 0; at < last; at += n) {
    if (cancelled()) return false;
    n = at < half ? std::min(half - at, read_piece_) : std::min(last - at, predict_piece_);
    const auto piece = all.subspan(at, n);
    if (at < half) {
      own.append(piece);
      if (other) other->append(piece);
    } else {
      const auto logits = own.predict(piece);
      measure(all.subspan(at + 1, n), logits, other ? other->predict(piece) : std::span<const float>());
    }
  }
  add_chunk();
  return true;
}

// Of the tokens that came `next`, each with the logits that predicted it; `other` is empty without another model.
void Evaluation::measure(std::span<const TokenId> next, std::span<const float> own, std::span<const float> other) {
  const auto vocab = static_cast<size_t>(runner_->vocab_size());
  const size_t first = chunk_.size();
  chunk_.resize(first + next.size());
  pool_->for_each(static_cast<int>(next.size()), [&](int i, int) {
    const auto row = static_cast<size_t>(i);
    const Prediction q(own.subspan(row * vocab, vocab));
    PredictionPair& pair = chunk_[first + row];
    if (other.empty()) {
      pair.nll = -q.log_probability(next[row]);
    } else {
      pair = PredictionPair(Prediction(other.subspan(row * vocab, vocab)), q, next[row]);
    }
  });
}

void Evaluation::add_chunk() {
  for (const PredictionPair& pair : chunk_) {
    nll_.add(pair.nll);
    if (other_) comparison_.add(pair);
  }
}

}  // namespace

EvaluateReport evaluate(const std::filesystem::path& model, std::string_view text, const EvaluateOptions& options,
                        const std::function<void(const EvaluateProgress&)>& progress) {
  return Evaluation(model, options).run(text, progress);
}

}  // namespace emelex
