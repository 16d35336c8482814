#pragma once

#include <cstdint>
#include <filesystem>

#include "emelex/engine.h"
#include "tools/bench.h"

namespace emelex {

// Requests as a server gets them. Lengths are drawn evenly from half to one and a half times the given ones.
struct RequestsOptions {
  int requests = 64;
  double rate = 0;     // that arrive in a second, at random (a Poisson process); 0: all at once
  int clients = 0;     // each asks again when it is answered, and none at another time; 0: whoever arrives asks
  int prompt = 512;    // tokens
  int generate = 128;  // tokens
  int shared = 0;      // tokens that all prompts begin with, of those of the prompt
  uint64_t seed = 1;   // of lengths, arrivals and tokens
  LoadOptions load;    // its context does not count: it is as large as the requests need
};

// Of a number of times in seconds.
struct Times {
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double max = 0;
};

struct RequestsReport {
  ModelInfo model;
  EngineStats stats;
  double seconds = 0;             // from the first arrival to the last answer
  double tokens_per_second = 0;   // generated ones
  double prompts_per_second = 0;  // tokens of prompts, those from the cache among them
  Times queue;                    // from arrival to the turn
  Times first;                    // from arrival to the first text
  Times between;                  // pieces of text of one answer
};

// Throws Error as Engine::load does, Error(invalid_argument) for lengths that do not fit in the model's context, and
// what a request that failed said.
RequestsReport bench_requests(const std::filesystem::path& model, const RequestsOptions& options,
                              const BenchProgress& progress);

}  // namespace emelex
