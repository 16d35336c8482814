#include "engine/open_request.h"

#include <utility>

namespace emelex {

OpenRequest::OpenRequest(Generation generation_, const GenerateOptions& options, EventSink sink,
                         std::function<void()> on_event, std::function<void()> on_room)
    : events(std::move(on_event), std::move(on_room)),
      generation(std::move(generation_)),
      scope(options.cache_scope),
      priority(options.priority),
      cancel_flag_(options.cancel),
      deadline_(options.deadline),
      sink_(std::move(sink)) {}

void OpenRequest::deliver(std::string text) {
  if (text.empty()) return;
  if (!sink_) return events.send(text);
  Event event;
  event.text = std::move(text);
  give(std::move(event));
}

void OpenRequest::give(Event event) noexcept {
  if (muted_) return;
  try {
    sink_(std::move(event));
  } catch (...) {
    muted_ = true;
    cancelled = true;
  }
}

void OpenRequest::finish(FinishReason reason) noexcept {
  try {
    if (!generation.ended()) deliver(generation.end(reason));
    GenerateResult result = generation.take_result();
    if (!sink_) return events.finish(std::move(result));
    Event event;
    event.kind = Event::Kind::finished;
    event.result = std::move(result);
    give(std::move(event));
    events.close();
  } catch (const std::exception&) {
    fail(Error(ErrorCode::out_of_memory, "[engine] no memory for the end of an answer"));
  }
}

void OpenRequest::fail(Error error) noexcept {
  if (!sink_) return events.fail(std::move(error));
  Event event;
  event.kind = Event::Kind::failed;
  event.error = std::move(error);
  give(std::move(event));
  events.close();
}

std::optional<FinishReason> OpenRequest::to_end() const {
  if (cancelled.load(std::memory_order_relaxed)) return FinishReason::cancelled;
  if (cancel_flag_ != nullptr && cancel_flag_->load(std::memory_order_relaxed)) return FinishReason::cancelled;
  if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) return FinishReason::deadline;
  return std::nullopt;
}

}  // namespace emelex
