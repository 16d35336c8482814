#include "emelex/engine.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>

#include "base/failures.h"
#include "base/strings.h"
#include "engine/check_vocabulary.h"
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
  // When that fails, as when `on_text` throws, the generation is stopped, waited for, and the exception thrown on.
  std::string listen(const TextCallback& on_text) {
    std::string seen;
    std::exception_ptr error;
    for (std::string piece; receive(piece);) {
      if (stopped_.load()) continue;
      try {
        seen += piece;
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
  std::list<std::string> pieces_;  // and not a deque, which allocates when it is made
  bool closed_ = false;
  std::atomic<bool> stopped_{false};
};

// What a session has on the engine's thread. Both of them hold it, so that either may end first.
struct SessionState {
  std::optional<CachedSequence> sequence;  // made by the first generation; touched by the engine's thread alone
  std::atomic<int> length{0};
};

// Opening, clearing and closing a session never waits for the engine's thread, which may be in the middle of somebody
// else's answer: what there is to do is posted to it. Closing can't fail, since its job is prepared when opening.
class LocalSession : public Session {
 public:
  LocalSession(WorkerThread& thread, const std::unique_ptr<Runner>& runner)
      : thread_(&thread), runner_(&runner), close_(WorkerThread::prepare([&runner, state = state_] {
          if (state->sequence) runner->cache().release(state->sequence->id);
        })) {}
  ~LocalSession() override { thread_->post(std::move(close_)); }

  int length() const override { return state_->length.load(); }
  void clear() override {
    with_errors("engine", [this] {
      thread_->post([runner = runner_, state = state_] {
        if (!state->sequence) return;
        (*runner)->cache().trim(state->sequence->id, 0);
        state->sequence->tokens.clear();
        state->length = 0;
      });
    });
    state_->length = 0;
  }

  const std::shared_ptr<SessionState>& state() const { return state_; }
  bool belongs_to(const std::unique_ptr<Runner>& runner) const { return runner_ == &runner; }

 private:
  WorkerThread* thread_;
  const std::unique_ptr<Runner>* runner_;
  std::shared_ptr<SessionState> state_ = std::make_shared<SessionState>();
  WorkerThread::PreparedJob close_;
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
    check_vocabulary(*tokenizer_, files.tokenizer, runner_->vocab_size());
  }

  const ModelInfo& info() const override { return info_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const ChatTemplate& chat_template() const override { return *chat_template_; }
  const SamplingDefaults& sampling_defaults() const override { return sampling_; }
  const std::vector<std::string>& warnings() const override { return warnings_; }

  std::unique_ptr<Session> new_session() override {
    return with_errors("engine", [this] { return std::make_unique<LocalSession>(thread_, runner_); });
  }

  GenerateResult generate(Session& session, std::span<const TokenId> prompt, const GenerateOptions& options,
                          const TextCallback& on_text) override {
    auto* own = dynamic_cast<LocalSession*>(&session);
    if (own == nullptr || !own->belongs_to(runner_)) {
      throw Error(ErrorCode::invalid_argument, "[engine] expected a session of this engine, got another engine's");
    }
    TextChannel channel;
    GenerateResult result;
    auto done = with_errors("engine", [&] {
      return thread_.post([&, state = own->state()] { work(*state, channel, result, prompt, options); });
    });
    std::string seen;
    try {
      seen = channel.listen(on_text);
    } catch (...) {
      done.wait();
      throw;
    }
    with_errors("engine", [&] { done.get(); });
    if (channel.stopped()) {
      result.finish = FinishReason::cancelled;
      result.text = std::move(seen);
    }
    return result;
  }

 private:
  // One generation, on the engine's thread.
  void work(SessionState& state, TextChannel& channel, GenerateResult& result, std::span<const TokenId> prompt,
            const GenerateOptions& options) {
    // Closed whatever happens: the caller waits for it.
    struct Closer {
      SessionState& state;
      TextChannel& channel;
      ~Closer() {
        if (state.sequence) state.length = static_cast<int>(state.sequence->tokens.size());
        channel.close();
      }
    } closer{state, channel};
    if (!state.sequence) state.sequence = CachedSequence{runner_->cache().create(), {}};
    result = emelex::generate(*runner_, *tokenizer_, *state.sequence, prompt, options,
                              [&](std::string_view piece) { return channel.send(piece); });
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_template_;
  SamplingDefaults sampling_;
  std::vector<std::string> warnings_;
  ModelInfo info_;
  std::unique_ptr<Runner> runner_;                    // made, used and destroyed on thread_
  WorkerThread thread_{[this] { runner_.reset(); }};  // last: its end needs the above
};

double rate(int tokens, double seconds) { return tokens > 0 && seconds > 0 ? tokens / seconds : 0; }

}  // namespace

std::unique_ptr<Engine> Engine::load(const std::filesystem::path& path, const LoadOptions& options) {
  return with_errors("engine", [&] { return std::make_unique<LocalEngine>(path, options); });
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
