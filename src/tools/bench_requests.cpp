#include "tools/bench_requests.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "base/strings.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;

struct Planned {
  double arrival = 0;  // seconds after the begin
  std::vector<TokenId> prompt;
  int generate = 0;
};

// What came when. Filled on the engine's thread.
struct Seen {
  Clock::time_point arrived;
  std::vector<Clock::time_point> texts;
  double queue_seconds = 0;
};

std::vector<Planned> plan(const RequestsOptions& options, int vocab_size) {
  std::mt19937_64 random(options.seed);
  const auto length = [&](int middle) {
    return std::uniform_int_distribution<int>(std::max(1, middle / 2), std::max(1, middle * 3 / 2))(random);
  };
  std::uniform_int_distribution<TokenId> token(0, vocab_size - 1);
  std::vector<TokenId> shared(static_cast<size_t>(options.shared));
  for (TokenId& id : shared) id = token(random);
  std::vector<Planned> all;
  double now = 0;
  for (int i = 0; i < options.requests; ++i) {
    Planned request;
    if (options.rate > 0) now += std::exponential_distribution<double>(options.rate)(random);
    request.arrival = now;
    request.prompt = shared;
    const int n = std::max(length(options.prompt), options.shared + 1);
    while (static_cast<int>(request.prompt.size()) < n) request.prompt.push_back(token(random));
    request.generate = length(options.generate);
    all.push_back(std::move(request));
  }
  return all;
}

Times times(std::vector<double> seconds) {
  if (seconds.empty()) return {};
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    return seconds[std::min(seconds.size() - 1, static_cast<size_t>(share * static_cast<double>(seconds.size())))];
  };
  return {at(0.5), at(0.9), at(0.99), seconds.back()};
}

// Runs the requests, and waits for all.
class Run {
 public:
  Run(Engine& engine, const std::vector<Planned>& planned, const RequestsOptions& options)
      : engine_(engine), planned_(planned), options_(options), seen_(planned.size()), tickets_(planned.size()) {}

  void all() {
    begin_ = Clock::now();
    for (size_t i = 0; i < planned_.size(); ++i) {
      wait_for_turn(i);
      submit(i);
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ == 0; });
    end_ = Clock::now();
    if (error_) throw *error_;
  }

  double seconds() const { return std::chrono::duration<double>(end_ - begin_).count(); }
  const std::vector<Seen>& seen() const { return seen_; }

 private:
  void wait_for_turn(size_t i) {
    if (options_.clients > 0) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return open_ < options_.clients; });
    } else {
      std::this_thread::sleep_until(
          begin_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(planned_[i].arrival)));
    }
  }

  void submit(size_t i) {
    GenerateOptions options;
    options.sampling.temperature = 0;
    options.max_tokens = planned_[i].generate;
    {
      const std::lock_guard lock(mutex_);
      ++open_;
    }
    Seen& seen = seen_[i];
    seen.arrived = Clock::now();
    tickets_[i] =
        engine_.submit_to([this, &seen](const Event& event) { take(seen, event); }, planned_[i].prompt, options);
  }

  void take(Seen& seen, const Event& event) {
    if (event.kind == Event::Kind::text) {
      seen.texts.push_back(Clock::now());
      return;
    }
    const std::lock_guard lock(mutex_);
    if (event.error) error_ = event.error;
    seen.queue_seconds = event.result.stats.queue_seconds;
    --open_;
    changed_.notify_all();
  }

  Engine& engine_;
  const std::vector<Planned>& planned_;
  const RequestsOptions& options_;
  std::vector<Seen> seen_;
  std::vector<std::unique_ptr<Ticket>> tickets_;
  Clock::time_point begin_;
  Clock::time_point end_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int open_ = 0;  // requests
  std::optional<Error> error_;
};

}  // namespace

RequestsReport bench_requests(const std::filesystem::path& model, const RequestsOptions& options,
                              const BenchProgress& progress) {
  const auto say = [&](std::string_view line) {
    if (progress) progress(line);
  };
  LoadOptions load = options.load;
  const int longest = std::max(options.prompt * 3 / 2, options.shared + 1) + options.generate * 3 / 2 + 1;
  load.context = longest;
  load.max_waiting = std::max(load.max_waiting, options.requests);
  say("loading");
  const auto engine = Engine::load(model, load);
  const auto planned = plan(options, engine->tokenizer().vocab_size());
  say(str_cat(options.requests, " requests"));
  Run run(*engine, planned, options);
  run.all();

  RequestsReport report;
  report.model = engine->info();
  report.stats = engine->stats();
  report.seconds = run.seconds();
  report.tokens_per_second = static_cast<double>(report.stats.generated_tokens) / report.seconds;
  report.prompts_per_second = static_cast<double>(report.stats.prompt_tokens) / report.seconds;
  std::vector<double> queue;
  std::vector<double> first;
  std::vector<double> between;
  for (const Seen& seen : run.seen()) {
    queue.push_back(seen.queue_seconds);
    for (size_t i = 0; i < seen.texts.size(); ++i) {
      const auto before = i == 0 ? seen.arrived : seen.texts[i - 1];
      (i == 0 ? first : between).push_back(std::chrono::duration<double>(seen.texts[i] - before).count());
    }
  }
  report.queue = times(std::move(queue));
  report.first = times(std::move(first));
  report.between = times(std::move(between));
  return report;
}

}  // namespace emelex
