#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/event_queue.h"
#include "engine/generation.h"

namespace emelex {

// A request that was submitted. Shared by the engine's thread, which alone touches the generation, and its ticket.
class OpenRequest {
 public:
  // `on_event` as of EventQueue's on_change; `on_room` likewise. With a sink the queue stays empty.
  OpenRequest(Generation generation_, const GenerateOptions& options, EventSink sink, std::function<void()> on_event,
              std::function<void()> on_room);

  // The engine's thread. What a sink throws cancels the request. Throws std::bad_alloc where the text can't be queued.
  void deliver(std::string text);
  void finish(FinishReason reason) noexcept;  // unless the generation has ended by itself
  void fail(Error error) noexcept;
  // Whether its consumer has as much text as may wait.
  bool held() const { return !sink_ && events.full(); }
  // Whether it is to end, and why.
  std::optional<FinishReason> to_end() const;

  // Any thread.
  EventQueue events;
  std::atomic<bool> cancelled{false};
  std::atomic<int> position{0};
  std::atomic<int> length{0};  // tokens that were computed for it

  Generation generation;
  const std::string scope;
  const int priority;

 private:
  void give(Event event) noexcept;

  const std::atomic<bool>* cancel_flag_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  EventSink sink_;
  bool muted_ = false;  // the sink has thrown
};

}  // namespace emelex
