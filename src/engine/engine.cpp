#include "emelex/engine.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/strings.h"
#include "engine/generate.h"
#include "engine/runner.h"
#include "engine/worker_thread.h"
#include "model_files/model_files.h"
#include "text/chat/chat_template.h"
#include "text/files/tokenizer_factory.h"

namespace emelex {
namespace {

// Carries pieces of text from the engine's thread to the caller's, and the wish to stop back.
class TextChannel {
 public:
  // Engine's side. False once the caller has stopped listening.
  bool send(std::string_view piece) {
    {
      const std::lock_guard lock(mutex_);
      pieces_.emplace_back(piece);
    }
    changed_.notify_one();
    return !stopped_.load();
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_one();
  }

  // Caller's side. Gives every piece to `on_text` until the channel is closed; → what the pieces that it saw add up to.
  // When `on_text` throws, the generation is stopped, waited for, and the exception thrown on.
  std::string listen(const TextCallback& on_text) {
    std::string seen;
    std::exception_ptr error;
    for (std::string piece; receive(piece);) {
      if (stopped_.load()) continue;
      seen += piece;
      try {
        if (on_text && !on_text(piece)) stopped_.store(true);
      } catch (...) {
        error = std::current_exception();
        stopped_.store(true);
      }
    }
    if (error) std::rethrow_exception(error);
    return seen;
  }

  bool stopped() const { return stopped_.load(); }

 private:
  bool receive(std::string& piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !pieces_.empty(); });
    if (pieces_.empty()) return false;
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  bool closed_ = false;
  std::atomic<bool> stopped_{false};
};

class LocalSession : public Session {
 public:
  LocalSession(WorkerThread& thread, Runner& runner) : thread_(&thread), runner_(&runner) {
    thread_->run([this] { sequence_.id = runner_->cache().create(); });
  }
  ~LocalSession() override {
    thread_->run([this] { runner_->cache().release(sequence_.id); });
  }

  int length() const override { return static_cast<int>(sequence_.tokens.size()); }
  void clear() override {
    thread_->run([this] {
      runner_->cache().trim(sequence_.id, 0);
      sequence_.tokens.clear();
    });
  }

  CachedSequence& sequence() { return sequence_; }
  bool belongs_to(const Runner& runner) const { return runner_ == &runner; }

 private:
  WorkerThread* thread_;
  Runner* runner_;
  CachedSequence sequence_{};
};

class LocalEngine : public Engine {
 public:
  LocalEngine(const std::filesystem::path& path, const LoadOptions& options) {
    const ModelFiles files = open_model(path);
    const std::shared_ptr<const Weights>& weights = files.weights;
    check_architecture(weights->metadata());  // first: the likeliest reason why a good file can't be run
    tokenizer_ = make_tokenizer(files.tokenizer);
    chat_template_ = make_chat_template(files.templates, files.tokenizer.keys());
    sampling_ = files.sampling;
    warnings_ = tokenizer_->warnings();
    thread_.run([&] { runner_ = std::make_unique<Runner>(weights, options); });
    info_ = runner_->info();
    check_vocabulary(files.tokenizer);
  }
  ~LocalEngine() override {
    thread_.run([this] { runner_.reset(); });
  }

  const ModelInfo& info() const override { return info_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const ChatTemplate& chat_template() const override { return *chat_template_; }
  const SamplingDefaults& sampling_defaults() const override { return sampling_; }
  const std::vector<std::string>& warnings() const override { return warnings_; }

  std::unique_ptr<Session> new_session() override { return std::make_unique<LocalSession>(thread_, *runner_); }

  GenerateResult generate(Session& session, std::span<const TokenId> prompt, const GenerateOptions& options,
                          const TextCallback& on_text) override {
    auto* own = dynamic_cast<LocalSession*>(&session);
    if (own == nullptr || !own->belongs_to(*runner_)) {
      throw Error(ErrorCode::invalid_argument, "[engine] expected a session of this engine, got another engine's");
    }
    auto& sequence = own->sequence();
    TextChannel channel;
    GenerateResult result;
    auto done = thread_.post([&] {
      // Closed whatever happens: the caller waits for it.
      struct Closer {
        TextChannel& channel;
        ~Closer() { channel.close(); }
      } closer{channel};
      result = emelex::generate(*runner_, *tokenizer_, sequence, prompt, options,
                                [&](std::string_view piece) { return channel.send(piece); });
    });
    std::string seen;
    try {
      seen = channel.listen(on_text);
    } catch (...) {
      done.wait();
      throw;
    }
    done.get();
    if (channel.stopped()) {
      result.finish = FinishReason::cancelled;
      result.text = std::move(seen);
    }
    return result;
  }

 private:
  // Else the model could make ids that the tokenizer has no text for.
  void check_vocabulary(const TokenizerSource& source) const {
    if (tokenizer_->vocab_size() == runner_->vocab_size()) return;
    throw Error(ErrorCode::corrupt_file,
                str_cat("[engine] expected as many tokens as token_embd.weight has rows, ", runner_->vocab_size(),
                        ", got ", tokenizer_->vocab_size(), " in tokenizer.ggml.tokens of ", source.where()));
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_template_;
  SamplingDefaults sampling_;
  std::vector<std::string> warnings_;
  ModelInfo info_;
  std::unique_ptr<Runner> runner_;  // made, used and destroyed on thread_
  WorkerThread thread_;
};

double rate(int tokens, double seconds) { return tokens > 0 && seconds > 0 ? tokens / seconds : 0; }

}  // namespace

std::unique_ptr<Engine> Engine::load(const std::filesystem::path& path, const LoadOptions& options) {
  return std::make_unique<LocalEngine>(path, options);
}

std::vector<TokenId> Engine::chat_prompt(const std::vector<Message>& messages, const ChatOptions& options) const {
  std::vector<TokenId> ids = tokenizer().encode_segments(chat_template().render_segments(messages, options));
  // A template that leaves the begin-of-sequence token out relies on the tokenizer; see docs/decisions/0025.
  if (tokenizer().adds_bos() && (ids.empty() || ids.front() != tokenizer().bos())) {
    ids.insert(ids.begin(), tokenizer().bos());
  }
  return ids;
}

std::vector<TokenId> Engine::raw_prompt(std::string_view text) const {
  auto ids = tokenizer().encode(text, SpecialTokens::parse);
  if (tokenizer().adds_bos() && tokenizer().bos() >= 0) ids.insert(ids.begin(), tokenizer().bos());
  return ids;
}

std::string_view to_string(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop_token:
      return "stop_token";
    case FinishReason::stop_string:
      return "stop_string";
    case FinishReason::max_tokens:
      return "max_tokens";
    case FinishReason::context_full:
      return "context_full";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "unknown";
}

double GenerateStats::prefill_tokens_per_second() const { return rate(prompt_tokens - cached_tokens, prefill_seconds); }

double GenerateStats::decode_tokens_per_second() const { return rate(generated_tokens - 1, decode_seconds); }

}  // namespace emelex
