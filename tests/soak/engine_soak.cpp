// engine_soak [REQUESTS]: 10,000 requests with random cancels, limits, deadlines and steps that fail, on a tiny model
// with little memory. The engine must go on, answer as it did before, and take no more memory afterwards. Prints its
// seed and figures; exit 1 where something is wrong.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/faults.h"
#include "emelex/engine.h"
#include "engine/tiny_model.h"

namespace emelex {
namespace {

constexpr int kClients = 48;

double resident_megabytes() {
  long pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

struct Counts {
  std::atomic<int> finished{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> failed{0};
  std::atomic<int> refused{0};
};

void client(Engine& engine, uint32_t seed, std::atomic<int>& left, Counts& counts) {
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  while (left.fetch_sub(1) > 0) {
    std::vector<TokenId> prompt;
    for (int i = below(150); i >= 0; --i) prompt.push_back(below(3) == 0 ? below(250) : 7);
    GenerateOptions options;
    options.sampling.seed = random();
    options.max_tokens = below(60);
    if (below(20) == 0) options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(below(20));
    const int takes = below(3) == 0 ? below(6) : 1 << 30;  // events before it loses interest
    try {
      const auto ticket = engine.submit(prompt, options);
      int taken = 0;
      bool ended = false;
      while (taken++ < takes) {
        const auto event = ticket->next();
        if (!event) break;
        ended = event->kind != Event::Kind::text;
        if (event->kind == Event::Kind::finished) ++counts.finished;
        if (event->kind == Event::Kind::failed) ++counts.failed;
      }
      if (!ended) ++counts.cancelled;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy) throw;
      ++counts.refused;
      ++left;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

void round_of(Engine& engine, int requests, uint32_t seed, Counts& counts) {
  std::atomic<int> left{requests};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] { client(engine, seed + static_cast<uint32_t>(i), left, counts); });
  }
  // Now and then a step fails.
  std::mt19937 random(seed);
  while (left > 0) {
    faults::arm(faults::Call::compute, 1 + static_cast<int64_t>(random() % 20));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  faults::disarm();
  for (auto& thread : clients) thread.join();
}

std::string answer(Engine& engine) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = 40;
  options.cache_scope = "alone";
  return engine.generate(*engine.new_session(), std::vector<TokenId>{'a', 'b', 'c'}, options, {}).text;
}

int run(int requests) {
  char folder[] = "/tmp/emelex-soak-XXXXXX";
  if (::mkdtemp(folder) == nullptr) {
    std::perror(folder);
    return 1;
  }
  const auto path = std::filesystem::path(folder) / "tiny.gguf";
  test::TinyModel model;
  model.context = 256;
  test::write_random_model(path, model);
  LoadOptions load;
  load.threads = 2;
  load.device = Device::cpu;
  load.max_waiting = 8;
  load.kept_cache_limit = 1 << 20;
  const auto engine = Engine::load(path, load);
  std::filesystem::remove_all(folder);  // it stays mapped
  const uint32_t seed = std::random_device()() % 1000000;
  Counts counts;
  const std::string expected = answer(*engine);
  round_of(*engine, requests / 10, seed, counts);  // allocators keep what they once had
  const double before = resident_megabytes();
  round_of(*engine, requests, seed + 1000, counts);
  const std::string again = answer(*engine);
  const double after = resident_megabytes();
  const EngineStats stats = engine->stats();
  std::printf("seed %u: %d finished, %d cancelled, %d failed, %d refused; %lld steps, %lld preemptions\n", seed,
              counts.finished.load(), counts.cancelled.load(), counts.failed.load(), counts.refused.load(),
              static_cast<long long>(stats.steps), static_cast<long long>(stats.preemptions));
  std::printf("resident memory: %.1f MB before, %.1f MB after\n", before, after);
  const bool right =
      again == expected && stats.running == 0 && stats.waiting == 0 && counts.failed > 0 && after <= before * 1.01 + 16;
  std::printf("%s\n", right ? "right" : "WRONG");
  return right ? 0 : 1;
}

}  // namespace
}  // namespace emelex

int main(int argc, char** argv) { return emelex::run(argc > 1 ? std::atoi(argv[1]) : 10000); }
