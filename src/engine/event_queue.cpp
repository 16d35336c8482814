#include "engine/event_queue.h"

#include <utility>

namespace emelex {

EventQueue::EventQueue(std::function<void()> on_change, std::function<void()> on_room)
    : on_change_(std::move(on_change)), on_room_(std::move(on_room)) {}

void EventQueue::send(std::string_view text) {
  std::list<std::string> piece = {std::string(text)};
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || text.empty()) return;
    waiting_ += text.size() + kPieceBytes;
    pieces_.splice(pieces_.end(), piece);
    if (pieces_.size() > 1) return;
  }
  changed_.notify_one();
  if (on_change_) on_change_();
}

void EventQueue::finish(GenerateResult result) noexcept {
  Event event;
  event.kind = Event::Kind::finished;
  event.result = std::move(result);
  end(std::move(event));
}

void EventQueue::fail(Error error) noexcept {
  Event event;
  event.kind = Event::Kind::failed;
  event.error = std::move(error);
  end(std::move(event));
}

void EventQueue::end(Event event) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    last_ = std::move(event);
  }
  changed_.notify_all();
  if (on_change_) on_change_();
}

void EventQueue::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

bool EventQueue::full() const {
  const std::lock_guard lock(mutex_);
  return waiting_ >= kMostWaiting;
}

std::optional<Event> EventQueue::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_ || !pieces_.empty(); });
  return take(lock);
}

std::optional<Event> EventQueue::try_next() {
  std::unique_lock lock(mutex_);
  return take(lock);
}

std::optional<Event> EventQueue::take(std::unique_lock<std::mutex>& lock) {
  if (pieces_.empty()) return std::exchange(last_, std::nullopt);
  const bool was_full = waiting_ >= kMostWaiting;
  Event event;
  event.text = std::move(pieces_.front());
  pieces_.pop_front();
  waiting_ -= event.text.size() + kPieceBytes;
  const bool has_room = was_full && waiting_ < kMostWaiting;
  lock.unlock();
  if (has_room && on_room_) on_room_();
  return event;
}

}  // namespace emelex
