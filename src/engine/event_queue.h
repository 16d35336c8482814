#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>

#include "emelex/engine.h"

namespace emelex {

// Carries a request's events from the engine's thread to its consumer. Text that waits is one event, however many
// pieces it came in. May be used from any thread.
class EventQueue {
 public:
  // Bytes that wait at most before full() says so, with what a piece of text takes beside its characters. A piece more
  // may come.
  static constexpr size_t kMostWaiting = size_t{64} << 10;
  static constexpr size_t kPieceBytes = 64;

  // `on_change` is called, on the thread that caused it, when there is an event where none was, and `on_room` when the
  // queue is no longer full. Both must return at once and not throw.
  EventQueue(std::function<void()> on_change, std::function<void()> on_room);

  // The engine's side. Throws std::bad_alloc, with nothing sent.
  void send(std::string_view text);
  // The last event, for which room was made when the queue was. Later ones are dropped.
  void finish(GenerateResult result) noexcept;
  void fail(Error error) noexcept;
  void close() noexcept;  // without an event
  bool full() const;

  // The consumer's side. Waits for an event; → nothing once the last one was taken.
  std::optional<Event> next();
  std::optional<Event> try_next();

 private:
  void end(Event event) noexcept;
  std::optional<Event> take(std::unique_lock<std::mutex>& lock);

  std::function<void()> on_change_;
  std::function<void()> on_room_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::string> pieces_;  // of text, that wait
  size_t waiting_ = 0;             // bytes of them
  std::optional<Event> last_;      // finished or failed, after the text
  bool ended_ = false;             // the last event has come
};

}  // namespace emelex
