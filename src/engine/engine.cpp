#include "emelex/engine.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>

#include "base/failures.h"
#include "base/strings.h"
#include "engine/check_vocabulary.h"
#include "engine/open_request.h"
#include "engine/runner.h"
#include "engine/scheduler.h"
#include "engine/worker_thread.h"
#include "model_files/model_files.h"
#include "text/chat/chat_template.h"
#include "text/files/tokenizer_factory.h"

namespace emelex {
namespace {

// Reaches the engine's thread from tickets, which may outlive it.
class Waker {
 public:
  explicit Waker(WorkerThread& thread) : thread_(&thread) {}
  void wake() noexcept {
    const std::lock_guard lock(mutex_);
    if (thread_ != nullptr) thread_->wake();
  }
  void forget() noexcept {
    const std::lock_guard lock(mutex_);
    thread_ = nullptr;
  }

 private:
  std::mutex mutex_;
  WorkerThread* thread_;
};

class LocalTicket : public Ticket {
 public:
  LocalTicket(std::shared_ptr<OpenRequest> request, std::shared_ptr<Waker> waker)
      : request_(std::move(request)), waker_(std::move(waker)) {}
  ~LocalTicket() override { LocalTicket::cancel(); }

  std::optional<Event> next() override { return request_->events.next(); }
  std::optional<Event> try_next() override { return request_->events.try_next(); }
  void cancel() noexcept override {
    request_->cancelled = true;
    waker_->wake();
  }
  int position() const noexcept override { return request_->position; }

 private:
  std::shared_ptr<OpenRequest> request_;
  std::shared_ptr<Waker> waker_;
};

// Sessions and generations under way hold it, so that either may end first.
using SessionLength = std::shared_ptr<std::atomic<int>>;

class LocalSession : public Session {
 public:
  explicit LocalSession(const Engine& engine) : engine_(&engine) {}

  int length() const override { return *length_; }
  void clear() override { *length_ = 0; }

  const SessionLength& shared_length() const { return length_; }
  bool belongs_to(const Engine& engine) const { return engine_ == &engine; }

 private:
  const Engine* engine_;
  SessionLength length_ = std::make_shared<std::atomic<int>>(0);
};

int requests_at_once(const LoadOptions& options, const ModelInfo& info) {
  constexpr int kOnCpu = 32;
  constexpr int kOnGpu = 256;
  if (options.max_running > 0) return options.max_running;
  return info.device == "gpu" ? kOnGpu : kOnCpu;
}

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
    thread_.run([&] {
      runner_ = std::make_unique<Runner>(weights, options);
      const int at_once = requests_at_once(options, runner_->info());
      scheduler_ = std::make_unique<Scheduler>(*runner_, at_once, options.step_budget, open_);
      most_open_ = at_once + options.max_waiting;
    });
    info_ = runner_->info();
    check_vocabulary(*tokenizer_, files.tokenizer, runner_->vocab_size());
    limits_ = {runner_->vocab_size(), info_.context, info_.model_context};
  }
  ~LocalEngine() override {
    closing_ = true;
    waker_->forget();
    thread_.wake();
  }

  const ModelInfo& info() const override { return info_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const ChatTemplate& chat_template() const override { return *chat_template_; }
  const SamplingDefaults& sampling_defaults() const override { return sampling_; }
  const std::vector<std::string>& warnings() const override { return warnings_; }

  std::unique_ptr<Session> new_session() override {
    return with_errors("engine", [this] { return std::make_unique<LocalSession>(*this); });
  }

  std::unique_ptr<Ticket> submit(std::vector<TokenId> prompt, const GenerateOptions& options,
                                 std::function<void()> on_event) override {
    return with_errors("engine", [&] {
      return std::make_unique<LocalTicket>(open({}, std::move(prompt), options, std::move(on_event)), waker_);
    });
  }
  std::unique_ptr<Ticket> submit_to(EventSink sink, std::vector<TokenId> prompt,
                                    const GenerateOptions& options) override {
    return with_errors("engine", [&] {
      return std::make_unique<LocalTicket>(open(std::move(sink), std::move(prompt), options, {}), waker_);
    });
  }

  EngineStats stats() const override {
    const std::lock_guard lock(mutex_);
    EngineStats stats = stats_;
    stats.waiting += static_cast<int>(submitted_.size());
    return stats;
  }

  GenerateResult generate(Session& session, std::span<const TokenId> prompt, const GenerateOptions& options,
                          const TextCallback& on_text) override {
    auto* own = dynamic_cast<LocalSession*>(&session);
    if (own == nullptr || !own->belongs_to(*this)) {
      throw Error(ErrorCode::invalid_argument, "[engine] expected a session of this engine, got another engine's");
    }
    const SessionLength length = own->shared_length();
    const auto request = with_errors(
        "engine", [&] { return open({}, std::vector<TokenId>(prompt.begin(), prompt.end()), options, {}); });
    // From here on nothing of the engine or the session is used, which may be destroyed meanwhile.
    return wait_for_end(LocalTicket(request, waker_), *request, *length, on_text);
  }

 private:
  // Throws as submit() does.
  std::shared_ptr<OpenRequest> open(EventSink sink, std::vector<TokenId> prompt, const GenerateOptions& options,
                                    std::function<void()> on_event) {
    auto request =
        std::make_shared<OpenRequest>(Generation(*tokenizer_, std::move(prompt), options, limits_), options,
                                      std::move(sink), std::move(on_event), [waker = waker_] { waker->wake(); });
    std::list<std::shared_ptr<OpenRequest>> one = {request};
    {
      const std::lock_guard lock(mutex_);
      if (open_ >= most_open_) refuse();
      ++open_;
      submitted_.splice(submitted_.end(), one);
    }
    thread_.wake();
    return request;
  }

  // Called with the mutex locked.
  [[noreturn]] void refuse() const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    const double each = stats_.finished > 0 ? seconds / static_cast<double>(stats_.finished) : seconds;
    throw Error(ErrorCode::busy, str_cat("[engine] expected at most ", most_open_,
                                         " requests at once, and so many run or wait; try again in about ",
                                         std::max(1, static_cast<int>(each)), " s"));
  }

  // Gives the text of a request to `on_text` until its end. When `on_text` throws, the request is cancelled, waited
  // for, and the exception thrown on.
  static GenerateResult wait_for_end(LocalTicket ticket, const OpenRequest& request, std::atomic<int>& length,
                                     const TextCallback& on_text) {
    std::string seen;
    std::exception_ptr error;
    bool stopped = false;
    while (auto event = ticket.next()) {
      if (event->kind != Event::Kind::text) {
        length = request.length.load();
        if (error) std::rethrow_exception(error);
        if (event->kind == Event::Kind::failed) throw *event->error;
        if (stopped) {
          event->result.finish = FinishReason::cancelled;
          event->result.text = std::move(seen);
        }
        return std::move(event->result);
      }
      if (stopped || !on_text) continue;
      try {
        seen += event->text;
        stopped = !on_text(event->text);
      } catch (...) {
        error = std::current_exception();
        stopped = true;
      }
      if (stopped) ticket.cancel();
    }
    throw Error(ErrorCode::internal, "[engine] a request ended without a last event");
  }

  // One step of the engine's thread. → whether there is more to do now
  bool step() noexcept {
    try {
      take_submitted();
      if (closing_) {
        scheduler_->end_all(nullptr);
        tell_stats();
        return false;
      }
      const bool more = scheduler_->step();
      tell_stats();
      return more;
    } catch (...) {
      try {
        rethrow_as_error("engine");
      } catch (const Error& error) {
        scheduler_->end_all(&error);
      }
      tell_stats();
      return false;
    }
  }

  void take_submitted() {
    while (true) {
      std::list<std::shared_ptr<OpenRequest>> one;
      {
        const std::lock_guard lock(mutex_);
        if (submitted_.empty()) return;
        one.splice(one.end(), submitted_, submitted_.begin());
      }
      try {
        scheduler_->add(one.front());
      } catch (const std::bad_alloc&) {
        --open_;
        one.front()->fail(Error(ErrorCode::out_of_memory, "[engine] no memory for one more request"));
      }
    }
  }

  // Those who learn of a request's end find it in stats().
  void tell_stats() noexcept {
    {
      const std::lock_guard lock(mutex_);
      stats_ = scheduler_->stats();
    }
    scheduler_->tell_ends();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_template_;
  SamplingDefaults sampling_;
  std::vector<std::string> warnings_;
  ModelInfo info_;
  GenerationLimits limits_{};
  int most_open_ = 0;  // requests
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<bool> closing_{false};
  std::atomic<int> open_{0};  // requests that have not ended

  mutable std::mutex mutex_;
  std::list<std::shared_ptr<OpenRequest>> submitted_;
  EngineStats stats_;  // the scheduler's, as of the last step

  std::unique_ptr<Runner> runner_;  // made, used and destroyed on thread_, as is the scheduler
  std::unique_ptr<Scheduler> scheduler_;
  WorkerThread thread_{[this] {
                         scheduler_.reset();
                         runner_.reset();
                       },
                       [this] { return step(); }};
  std::shared_ptr<Waker> waker_ = std::make_shared<Waker>(thread_);
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
    case FinishReason::deadline:
      return "deadline";
  }
  return "unknown";
}

double GenerateStats::prefill_tokens_per_second() const { return rate(prompt_tokens - cached_tokens, prefill_seconds); }

double GenerateStats::decode_tokens_per_second() const { return rate(generated_tokens - 1, decode_seconds); }

}  // namespace emelex
