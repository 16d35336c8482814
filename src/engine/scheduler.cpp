#include "engine/scheduler.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <new>
#include <utility>

#include "base/failures.h"
#include "emelex/error.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;

// An error that shares no text with another: it goes to another thread.
Error own_copy(const Error& error) noexcept {
  try {
    return Error(error.code(), std::string(error.what()));
  } catch (const std::bad_alloc&) {
    return error;
  }
}

bool is_no_memory(const Error& error) { return error.code() == ErrorCode::out_of_memory; }

}  // namespace

Scheduler::Scheduler(Runner& runner, int max_running, double step_budget, std::atomic<int>& open)
    : runner_(runner),
      n_open_(open),
      max_running_(static_cast<size_t>(max_running)),
      clock_(step_budget, runner.prefill_chunk()) {}

// Who comes first where not all can, and is preempted last.
bool Scheduler::before(const Open& a, const Open& b) {
  if (a.request->priority != b.request->priority) return a.request->priority > b.request->priority;
  return a.number < b.number;
}

Scheduler::Opens::iterator Scheduler::place_of(const Open& open, Opens& list) {
  return std::find_if(list.begin(), list.end(), [&](const Open& o) { return before(open, o); });
}

void Scheduler::add(std::shared_ptr<OpenRequest> request) {
  Open open{std::move(request), next_number_, {}};
  waiting_.insert(place_of(open, waiting_), std::move(open));
  ++next_number_;
  number_waiting();
}

bool Scheduler::step() {
  end_some();
  admit();
  passed_.clear();
  Runner::Pass pass(runner_);
  const auto suspect = std::find_if(running_.begin(), running_.end(), [](const Open& o) { return o.suspect; });
  int decodes = 0;
  if (suspect != running_.end()) {
    add_suspect(pass, suspect);
  } else {
    decodes = add_decodes(pass);
    add_prompts(pass, clock_.prompt_tokens(decodes));
  }
  if (pass.runs() > 0) compute(pass, decodes);
  number_waiting();
  stats_.kept_cache_bytes = runner_.cache().kept_bytes();
  const auto goes_on = [](const Open& o) { return !o.request->held(); };
  return std::any_of(running_.begin(), running_.end(), goes_on) || (running_.empty() && !waiting_.empty());
}

void Scheduler::number_waiting() noexcept {
  int position = 0;
  for (const Open& open : waiting_) open.request->position = ++position;
  stats_.running = static_cast<int>(running_.size());
  stats_.waiting = static_cast<int>(waiting_.size());
}

// Ends those that were cancelled or are past their deadline.
void Scheduler::end_some() {
  for (Opens* list : {&running_, &waiting_}) {
    for (auto open = list->begin(); open != list->end();) {
      const auto reason = open->request->to_end();
      if (!reason) {
        ++open;
        continue;
      }
      open->reason = *reason;
      open = remove(open, *list);
    }
  }
}

// Takes a request out of the scheduler's lists. It is told in tell_ends(). → the next one
Scheduler::Opens::iterator Scheduler::remove(Opens::iterator open, Opens& from) noexcept {
  stop(*open);
  open->request->position = 0;
  ++stats_.finished;
  --n_open_;
  const auto next = std::next(open);
  ended_.splice(ended_.end(), from, open);
  return next;
}

Scheduler::Opens::iterator Scheduler::fail(Opens::iterator open, const Error& error) noexcept {
  open->error = own_copy(error);
  return remove(open, running_);
}

void Scheduler::tell_ends() noexcept {
  while (!ended_.empty()) {
    Opens one;
    one.splice(one.end(), ended_, ended_.begin());
    Open& open = one.front();
    if (open.error) {
      open.request->fail(std::move(*open.error));
    } else {
      open.request->finish(open.reason);
    }
  }
}

void Scheduler::end_all(const Error* error) noexcept {
  for (Opens* list : {&running_, &waiting_}) {
    while (!list->empty()) {
      Open& open = list->front();
      if (error != nullptr) open.error = own_copy(*error);
      remove(list->begin(), *list);
    }
  }
  number_waiting();
}

// Lets those who wait run, as far as there is room for all of their tokens.
void Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < max_running_) {
    Open& next = waiting_.front();
    start(next);
    if (!running_.empty() && !fits_all(next)) {
      stop(next);
      break;
    }
    next.request->position = 0;
    if (!next.begun) {
      next.generation().begin();
      stats_.prompt_tokens += static_cast<int64_t>(next.generation().tokens().size());
      count_cached(next, runner_.cache().length(*next.sequence));
    }
    next.begun = true;
    next.served = 0;
    running_.splice(place_of(next, running_), waiting_, waiting_.begin());
  }
}

// Gives a request a sequence that begins with what the cache has of its tokens. The last token is always left to
// compute, since its logits are needed.
void Scheduler::start(Open& open) {
  const auto& tokens = open.generation().tokens();
  KvCache& cache = runner_.cache();
  open.long_rope = runner_.needs_long_rope(static_cast<int>(tokens.size()));
  open.sequence = cache.create();
  cache.enter(*open.sequence, open.request->scope + (open.long_rope ? "\x01" : ""));
  cache.reuse(*open.sequence, std::span(tokens).first(tokens.size() - 1));
}

// Takes from the cache what others have computed of a request's tokens in the meantime.
void Scheduler::catch_up(Open& open) {
  const auto tokens = std::span(open.generation().tokens());
  const int before = runner_.cache().length(*open.sequence);
  count_cached(open, runner_.cache().reuse(*open.sequence, tokens.first(tokens.size() - 1)) - before);
}

// Of a prompt that is computed for the first time.
void Scheduler::count_cached(Open& open, int tokens) {
  if (open.generation().generated() > 0 || open.was_preempted) return;
  open.generation().add_cached(tokens);
  stats_.cached_tokens += tokens;
}

// Takes the sequence from a request; the cache remembers what it can.
void Scheduler::stop(Open& open) noexcept {
  if (!open.sequence) return;
  open.request->length = runner_.cache().length(*open.sequence);
  runner_.cache().release(*open.sequence);
  open.sequence.reset();
}

int Scheduler::pending(const Open& open) const {
  return static_cast<int>(open.generation().tokens().size()) - runner_.cache().length(*open.sequence);
}

// Whether the cache has room for what a request has to compute, beside what those that run have.
bool Scheduler::fits_all(const Open& open) const {
  int tokens = pending(open) + 1;
  for (const Open& running : running_) tokens += pending(running);
  return runner_.cache().fits(*open.sequence, tokens);
}

// When a sequence crosses LongRoPE's limit, all of its tokens are computed again.
void Scheduler::fit_rope(Open& open) {
  if (runner_.needs_long_rope(static_cast<int>(open.generation().tokens().size())) == open.long_rope) return;
  stop(open);
  start(open);
}

// Adds a request's next tokens to the pass. Where the cache has no room, others are preempted, or in the end the
// request itself; false then.
bool Scheduler::add_run(Runner::Pass& pass, Opens::iterator open, int count) {
  const auto tokens = std::span(open->generation().tokens());
  while (true) {
    const auto length = static_cast<size_t>(runner_.cache().length(*open->sequence));
    const auto run = tokens.subspan(length, static_cast<size_t>(count));
    const bool last = length + run.size() == tokens.size();
    try {
      passed_.reserve(passed_.size() + 1);
      pass.add({*open->sequence, run, open->long_rope, last ? Want::last : Want::nothing});
      passed_.push_back(open);
      open->in_pass = true;
      return true;
    } catch (const Error& error) {
      if (!is_no_memory(error)) throw;
      if (preempt_one(*open)) continue;
      if (running_.size() == 1) {
        fail(open, error);
      } else {
        preempt(open);
      }
      return false;
    }
  }
}

// Preempts the last of those that come after `needy` and are not in the pass. False where there is none.
bool Scheduler::preempt_one(const Open& needy) {
  for (auto last = running_.end(); last != running_.begin();) {
    --last;
    if (&*last == &needy) return false;
    if (last->in_pass) continue;
    preempt(last);
    return true;
  }
  return false;
}

void Scheduler::preempt(Opens::iterator open) {
  stop(*open);
  ++stats_.preemptions;
  open->was_preempted = true;
  open->generation().add_preemption();
  waiting_.splice(place_of(*open, waiting_), running_, open);
}

// Adds the requests that go on with one token. → how many there are
int Scheduler::add_decodes(Runner::Pass& pass) {
  int added = 0;
  for (auto next = running_.begin(); next != running_.end();) {
    const auto open = next++;
    if (open->request->held()) continue;
    fit_rope(*open);
    if (pending(*open) != 1) continue;
    added += add_run(pass, open, 1) ? 1 : 0;
    if (next != running_.end() && !next->sequence) break;  // it was preempted, and all after it before
  }
  return added;
}

// Adds pieces of prompts, of `budget` tokens together: to each its share, those first who had least.
void Scheduler::add_prompts(Runner::Pass& pass, int budget) {
  if (budget == 0) return;
  std::vector<Opens::iterator> prompts = prompts_to_compute();
  for (size_t i = 0; i < prompts.size() && budget > 0; ++i) {
    const auto open = prompts[i];
    if (!open->sequence) continue;  // it was preempted for one before
    const auto left = static_cast<int>(prompts.size() - i);
    const int share = std::max({budget / left, std::min(budget, runner_.prefill_chunk() / 4), 1});
    const int count = std::min(pending(*open), share);
    if (!add_run(pass, open, count)) continue;
    open->served += count;
    budget -= count;
  }
}

// The prompts that are not done, less those that will find in the cache what another computes now.
std::vector<Scheduler::Opens::iterator> Scheduler::prompts_to_compute() {
  std::vector<Opens::iterator> all;
  for (auto open = running_.begin(); open != running_.end(); ++open) {
    if (!open->in_pass && !open->request->held()) all.push_back(open);
  }
  std::stable_sort(all.begin(), all.end(), [](auto a, auto b) {
    if (a->request->priority != b->request->priority) return a->request->priority > b->request->priority;
    return a->served < b->served;
  });
  std::vector<Opens::iterator> prompts;
  for (const auto open : all) {
    catch_up(*open);
    const bool found = std::any_of(prompts.begin(), prompts.end(), [&](auto o) { return computes_for(*o, *open); });
    if (!found) prompts.push_back(open);
  }
  return prompts;
}

// Whether the next token that `open` needs is the next of `other` as well, or one that it has computed.
bool Scheduler::computes_for(const Open& other, const Open& open) const {
  const KvCache& cache = runner_.cache();
  if (cache.place(*other.sequence) != cache.place(*open.sequence)) return false;
  const int length = cache.length(*open.sequence);
  const int block = length / kBlockTokens * kBlockTokens;
  const auto wanted = static_cast<size_t>(length - block) + 1;
  if (cache.length(*other.sequence) < length) return false;
  const auto own = std::span(open.generation().tokens()).subspan(static_cast<size_t>(block));
  const auto theirs = std::span(other.generation().tokens()).subspan(static_cast<size_t>(block));
  // Of its own last token it needs the logits.
  return wanted < own.size() && wanted <= theirs.size() &&
         std::equal(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(wanted), theirs.begin());
}

void Scheduler::add_suspect(Runner::Pass& pass, Opens::iterator suspect) {
  fit_rope(*suspect);
  add_run(pass, suspect, std::min(pending(*suspect), runner_.prefill_chunk()));
}

void Scheduler::compute(Runner::Pass& pass, int decodes) {
  const int prompt_tokens = pass.tokens() - decodes;
  const auto begin = Clock::now();
  try {
    accept(pass);
    ++stats_.steps;
  } catch (const Error& error) {
    step_failed(error);
    return;
  }
  clock_.took(std::chrono::duration<double>(Clock::now() - begin).count(), decodes, prompt_tokens);
}

// Computes the pass and gives each request that has all of its tokens computed the logits of the last.
void Scheduler::accept(Runner::Pass& pass) {
  std::vector<Opens::iterator> takers;
  bool likeliest = true;
  for (const auto open : passed_) {
    if (pending(*open) > 0) continue;
    takers.push_back(open);
    likeliest = likeliest && open->generation().takes_likeliest();
  }
  const auto each = [&](const auto& logits_of) {
    for (const auto open : passed_) {
      open->in_pass = false;
      open->suspect = false;
    }
    for (size_t i = 0; i < takers.size(); ++i) give(takers[i], logits_of(i));
  };
  if (likeliest) {
    const auto ids = pass.likeliest();
    each([&](size_t i) { return ids[i]; });
  } else {
    const auto logits = pass.logits();
    const auto row = static_cast<size_t>(runner_.vocab_size());
    each([&](size_t i) { return logits.subspan(i * row, row); });
  }
}

template <class Logits>
void Scheduler::give(Opens::iterator open, const Logits& logits) {
  try {
    with_errors("engine", [&] {
      const int before = open->generation().generated();
      std::string text = open->generation().accept(logits);
      stats_.generated_tokens += open->generation().generated() - before;
      open->request->deliver(std::move(text));
    });
  } catch (const Error& error) {
    fail(open, error);
    return;
  }
  if (open->generation().ended()) remove(open, running_);
}

// A step of several requests is tried again with each alone, so that only those fail by which it failed.
void Scheduler::step_failed(const Error& error) noexcept {
  const bool alone = passed_.size() == 1;
  for (const auto open : passed_) {
    open->in_pass = false;
    open->suspect = !alone;
    if (alone) fail(open, error);
  }
}

}  // namespace emelex
