#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/open_request.h"
#include "engine/runner.h"
#include "engine/step_clock.h"

namespace emelex {

// Computes all open requests together, step by step. A step has the next token of each text that is being generated,
// and in what the step's time leaves pieces of prompts. Requests join at the next step. Where the cache has no room,
// the youngest is preempted: it waits for its turn again, and keeps its tokens. Belongs to the engine's thread.
class Scheduler {
 public:
  // `max_running` requests have a sequence at once. `step_budget` as LoadOptions says. `open` counts the requests that
  // have not ended: who adds one has counted it before.
  Scheduler(Runner& runner, int max_running, double step_budget, std::atomic<int>& open);

  // What becomes of the request is told to it, never here. Throws std::bad_alloc.
  void add(std::shared_ptr<OpenRequest> request);
  // Computes a step. → whether there is something left that can be computed now
  bool step();
  // Ends all requests, as failed with an error or as cancelled without.
  void end_all(const Error* error) noexcept;
  // Tells those that have ended, once stats() has been told.
  void tell_ends() noexcept;

  const EngineStats& stats() const { return stats_; }

 private:
  struct Open {
    std::shared_ptr<OpenRequest> request;
    int64_t number;                      // in the order of submission
    std::optional<SequenceId> sequence;  // while it runs
    bool long_rope = false;              // of its sequence
    bool begun = false;
    bool was_preempted = false;
    bool in_pass = false;
    bool suspect = false;                           // was in a step that failed, and is tried alone
    int64_t served = 0;                             // tokens of its prompt that were computed since it runs
    FinishReason reason = FinishReason::cancelled;  // unless its generation has ended by itself
    std::optional<Error> error;                     // why it failed

    Generation& generation() const { return request->generation; }
  };
  using Opens = std::list<Open>;

  static bool before(const Open& a, const Open& b);
  static Opens::iterator place_of(const Open& open, Opens& list);
  void end_some();
  void admit();
  void start(Open& open);
  void catch_up(Open& open);
  void count_cached(Open& open, int tokens);
  bool fits_all(const Open& open) const;
  void stop(Open& open) noexcept;
  Opens::iterator remove(Opens::iterator open, Opens& from) noexcept;
  Opens::iterator fail(Opens::iterator open, const Error& error) noexcept;
  void number_waiting() noexcept;

  int pending(const Open& open) const;
  void fit_rope(Open& open);
  bool add_run(Runner::Pass& pass, Opens::iterator open, int count);
  bool preempt_one(const Open& needy);
  void preempt(Opens::iterator open);
  int add_decodes(Runner::Pass& pass);
  void add_prompts(Runner::Pass& pass, int budget);
  std::vector<Opens::iterator> prompts_to_compute();
  bool computes_for(const Open& other, const Open& open) const;
  void add_suspect(Runner::Pass& pass, Opens::iterator suspect);
  void compute(Runner::Pass& pass, int decodes);
  void accept(Runner::Pass& pass);
  void step_failed(const Error& error) noexcept;
  template <class Logits>
  void give(Opens::iterator open, const Logits& logits);

  Runner& runner_;
  std::atomic<int>& n_open_;
  const size_t max_running_;
  StepClock clock_;
  Opens running_;  // by before()
  Opens waiting_;  // by before()
  Opens ended_;    // and were not told yet
  int64_t next_number_ = 0;
  std::vector<Opens::iterator> passed_;  // the requests of the pass's runs
  EngineStats stats_;
};

}  // namespace emelex
