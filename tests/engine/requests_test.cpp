// How requests begin, wait and end, with models that say what the test wants.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "base/expect_error.h"
#include "base/faults.h"
#include "base/temporary_folder.h"
#include "engine/event_queue.h"
#include "engine/tiny_model.h"

namespace emelex {
namespace {

GenerateOptions greedy(int max_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

// A model that says "abab…" after '>' without an end.
struct Endless {
  explicit Endless(LoadOptions load = {}) {
    const auto path = folder.path() / "endless.gguf";
    test::write_scripted_model(path, {{'>', 'a'}, {'a', 'b'}, {'b', 'a'}}, {1 << 20});
    load.context = 1 << 20;
    load.threads = 1;
    load.device = Device::cpu;
    engine = Engine::load(path, load);
  }
  std::unique_ptr<Ticket> submit(int max_tokens) const { return engine->submit({'>'}, greedy(max_tokens)); }

  TemporaryFolder folder;
  std::unique_ptr<Engine> engine;
};

constexpr int kForever = 1 << 30;

Event last_event(Ticket& ticket) {
  Event last;
  while (auto event = ticket.next()) last = std::move(*event);
  return last;
}

bool wait_until(const std::function<bool()>& holds) {
  for (int i = 0; i < 10000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return holds();
}

TEST_CASE("a second request is answered while the first goes on") {
  const Endless e;
  const auto first = e.submit(kForever);
  REQUIRE(first->next());
  const auto second = e.submit(5);
  const Event end = last_event(*second);
  CHECK(end.kind == Event::Kind::finished);
  CHECK(end.result.text == "ababa");
  CHECK(wait_until([&] { return e.engine->stats().running == 1; }));
  first->cancel();
  CHECK(last_event(*first).result.finish == FinishReason::cancelled);
  CHECK_FALSE(first->next());
  CHECK_FALSE(first->try_next());
}

TEST_CASE("a request ends when its ticket does, wherever it is") {
  LoadOptions load;
  load.max_running = 1;
  const Endless e(load);
  auto running = e.submit(kForever);
  REQUIRE(running->next());
  auto waiting = e.submit(kForever);
  auto behind = e.submit(2);
  CHECK(wait_until([&] { return behind->position() == 2; }));
  CHECK(running->position() == 0);
  waiting.reset();  // and not the one that runs
  CHECK(wait_until([&] { return behind->position() == 1; }));
  REQUIRE(running->next());
  running.reset();
  CHECK(last_event(*behind).result.text == "ab");
  CHECK(wait_until([&] { return e.engine->stats().finished == 3; }));
}

TEST_CASE("what nobody reads is held, and holds nobody else") {
  const Endless e;
  const auto unread = e.submit(kForever);
  CHECK(wait_until([&] {
    const int64_t before = e.engine->stats().generated_tokens;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return before > 100 && e.engine->stats().generated_tokens == before;
  }));
  const int64_t held = e.engine->stats().generated_tokens;
  CHECK(held * static_cast<int64_t>(EventQueue::kPieceBytes) < 2 * static_cast<int64_t>(EventQueue::kMostWaiting));
  CHECK(last_event(*e.submit(5)).result.text == "ababa");
  // It goes on where it is read, and has lost nothing.
  std::string text;
  while (static_cast<int64_t>(text.size()) < 3 * held) text += unread->next()->text;
  for (size_t i = 0; i < text.size(); ++i) REQUIRE(text[i] == "ab"[i % 2]);
}

TEST_CASE("more requests than may wait are refused, and told when to come again") {
  LoadOptions load;
  load.max_running = 1;
  load.max_waiting = 2;
  const Endless e(load);
  const auto running = e.submit(kForever);
  REQUIRE(running->next());
  const auto one = e.submit(1);
  const auto two = e.submit(1);
  expect_error(ErrorCode::busy, {"[engine]", "at most 3 requests", "try again in about"}, [&] { e.submit(1); });
  running->cancel();
  CHECK(last_event(*two).result.text == "a");
  CHECK(last_event(*one).result.text == "a");
  CHECK(last_event(*e.submit(1)).result.text == "a");
}

TEST_CASE("those with a higher priority come first") {
  LoadOptions load;
  load.max_running = 1;
  const Endless e(load);
  const auto running = e.submit(kForever);
  REQUIRE(running->next());
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (const int priority : {0, 5, 1}) {
    auto options = greedy(1);
    options.priority = priority;
    tickets.push_back(e.engine->submit({'>'}, options));
  }
  CHECK(wait_until(
      [&] { return tickets[0]->position() == 3 && tickets[1]->position() == 1 && tickets[2]->position() == 2; }));
  running->cancel();
  for (auto& ticket : tickets) CHECK(last_event(*ticket).kind == Event::Kind::finished);
}

TEST_CASE("a deadline ends a request that runs and one that waits") {
  LoadOptions load;
  load.max_running = 1;
  const Endless e(load);
  auto options = greedy(kForever);
  options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  std::string text;
  const auto running = e.engine->submit_to([&](Event event) { text += event.text; }, {'>'}, options);
  const auto waiting = e.engine->submit({'>'}, options);
  const Event end = last_event(*waiting);
  CHECK(end.result.finish == FinishReason::deadline);
  CHECK(last_event(*e.submit(2)).result.text == "ab");
  CHECK(to_string(FinishReason::deadline) == "deadline");
}

TEST_CASE("a sink is told all, and may submit and cancel") {
  const Endless e;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Event> events;
  std::unique_ptr<Ticket> inner;
  bool ended = false;
  const auto ticket = e.engine->submit_to(
      [&](Event event) {
        const std::lock_guard lock(mutex);
        if (!inner) inner = e.submit(3);
        ended = event.kind != Event::Kind::text;
        events.push_back(std::move(event));
        changed.notify_one();
      },
      {'>'}, greedy(4));
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return ended; }));
  }
  std::string text;
  for (const Event& event : events) text += event.text;
  CHECK(text == "abab");
  CHECK(events.back().result.text == "abab");
  CHECK(events.back().result.finish == FinishReason::max_tokens);
  CHECK(last_event(*inner).result.text == "aba");
  CHECK_FALSE(ticket->next());  // the sink had all
}

TEST_CASE("a sink that throws ends its request, and no other") {
  const Endless e;
  const auto other = e.submit(2000);
  std::atomic<int> calls{0};
  const auto ticket = e.engine->submit_to(
      [&](const Event&) {
        ++calls;
        throw std::runtime_error("no");
      },
      {'>'}, greedy(kForever));
  CHECK(last_event(*other).result.stats.generated_tokens == 2000);
  CHECK(wait_until([&] { return e.engine->stats().running == 0; }));
  CHECK(calls == 1);
}

TEST_CASE("an engine that ends cancels what is open, and tickets outlive it") {
  auto e = std::make_unique<Endless>();
  const auto running = e->submit(kForever);
  REQUIRE(running->next());
  const auto other = e->submit(kForever);
  e->engine.reset();
  for (const auto* ticket : {&running, &other}) {
    const Event end = last_event(**ticket);
    CHECK(end.kind == Event::Kind::finished);
    CHECK(end.result.finish == FinishReason::cancelled);
    (*ticket)->cancel();
  }
}

TEST_CASE("an event that comes is told once") {
  const Endless e;
  std::atomic<int> told{0};
  const auto ticket = e.engine->submit({'>'}, greedy(300), [&] { ++told; });
  CHECK(wait_until([&] { return e.engine->stats().finished == 1; }));
  CHECK(told >= 1);
  std::string text;
  Event last;
  while (auto event = ticket->try_next()) {
    text += event->text;
    last = std::move(*event);
  }
  CHECK(text.size() == 300);
  CHECK(last.kind == Event::Kind::finished);
}

TEST_CASE("of a step that fails only those requests fail that fail alone") {
  const Endless e;
  const auto a = e.submit(3000);
  const auto b = e.submit(3000);
  REQUIRE(a->next());
  REQUIRE(b->next());
  faults::arm(faults::Call::compute, 1);
  const Event end_a = last_event(*a);
  const Event end_b = last_event(*b);
  const bool failed = faults::count(faults::Call::compute) > 0;
  faults::disarm();
  REQUIRE(failed);
  CHECK(end_a.kind == Event::Kind::finished);
  CHECK(end_b.kind == Event::Kind::finished);
  CHECK(end_a.result.text.size() == 3000);
  CHECK(end_b.result.text == end_a.result.text);
}

TEST_CASE("requests of one scope share what was computed, and of others nothing") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tiny.gguf";
  test::write_random_model(path);
  LoadOptions load;
  load.kept_cache_limit = 1 << 30;
  const auto engine = Engine::load(path, load);
  std::vector<TokenId> prompt;
  for (int i = 0; i < 100; ++i) prompt.push_back(i);
  const auto cached = [&](const std::string& scope) {
    auto options = greedy(3);
    options.cache_scope = scope;
    return last_event(*engine->submit(prompt, options)).result.stats.cached_tokens;
  };
  CHECK(cached("a") == 0);
  CHECK(cached("b") == 0);
  CHECK(cached("a") == 99);
  CHECK(cached("") == 0);
  CHECK(cached("b") == 99);
  CHECK(wait_until([&] { return engine->stats().cached_tokens == 198; }));
}

TEST_CASE("answers to one prompt that are wanted at once compute it once") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tiny.gguf";
  test::TinyModel model;
  model.context = 512;
  test::write_random_model(path, model);
  LoadOptions load;
  load.prefill_chunk = 50;
  const auto engine = Engine::load(path, load);
  std::vector<TokenId> prompt;
  for (int i = 0; i < 400; ++i) prompt.push_back(i % 256);
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (int i = 0; i < 8; ++i) tickets.push_back(engine->submit(prompt, greedy(4)));
  std::vector<std::string> texts;
  for (auto& ticket : tickets) texts.push_back(last_event(*ticket).result.text);
  CHECK(std::count(texts.begin(), texts.end(), texts.front()) == 8);
  // Eight chunks, and some steps for the last tokens.
  CHECK(engine->stats().steps < 20);
}

}  // namespace
}  // namespace emelex
