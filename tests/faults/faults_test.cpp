// Every call that can fail does so in turn, while a model is loaded, run, quantized and pulled. Each time it must come
// to an Error, or to the very result of an undisturbed run where the call did not matter; nothing may be left behind,
// and the next try must give the undisturbed run's result.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "base/strings.h"
#include "base/temporary_folder.h"
#include "emelex/engine.h"
#include "emelex/hub.h"
#include "engine/tiny_model.h"
#include "faults/interposer.h"
#include "tools/quantize/quantize_model.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;
using test::Kind;

constexpr int64_t kAllUpTo = 500;
constexpr int64_t kSampled = 200;  // of those beyond

// The calls of 1 … n that are made to fail.
std::vector<int64_t> sample(int64_t n) {
  std::vector<int64_t> numbers;
  for (int64_t i = 1; i <= std::min(n, kAllUpTo); ++i) numbers.push_back(i);
  const int64_t step = std::max<int64_t>(1, (n - kAllUpTo + kSampled - 1) / kSampled);
  for (int64_t i = kAllUpTo + 1; i <= n; i += step) numbers.push_back(i);
  return numbers;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream input(file, std::ios::binary);
  std::ostringstream text;
  text << input.rdbuf();
  return text.str();
}

std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    found.insert(fs::relative(entry.path(), folder).string());
  }
  return found;
}

// What is tried. `work` gives a result that must always be the same; `after_failure` checks what a failed one has left;
// `reset` brings the start back.
struct Operation {
  std::function<std::string()> work;
  std::function<void()> after_failure = [] {};
  std::function<void()> reset = [] {};
};

enum class Outcome : uint8_t { error, unharmed };

// Has the n-th call fail, then tries again.
Outcome fail_call(Kind kind, int64_t n, const Operation& operation, const std::string& expected) {
  std::string result;
  std::string unknown;
  bool failed = false;
  test::arm(kind, n);
  try {
    result = operation.work();
  } catch (const Error&) {
    failed = true;
  } catch (const std::exception& error) {
    unknown = error.what();
  }
  test::disarm();
  CHECK(unknown.empty());
  if (failed) {
    CHECK(test::has_failed());
    operation.after_failure();
  } else {
    CHECK((!unknown.empty() || result == expected));
  }
  CHECK(operation.work() == expected);
  operation.reset();
  return failed ? Outcome::error : Outcome::unharmed;
}

// What the process holds more of each time that this call fails; empty: nothing. What is made once in a process and
// kept is no leak.
std::string leak_of(Kind kind, int64_t n, const Operation& operation, const std::string& expected) {
  constexpr int kTimes = 3;
  test::Held before;
  test::Held after;
  for (int i = 0; i < kTimes; ++i) {
    before = test::held();
    fail_call(kind, n, operation, expected);
    after = test::held();
    if (!after.more_than(before)) return "";
  }
  return str_cat(after.blocks - before.blocks, " blocks, ", after.files - before.files, " files and ",
                 after.threads - before.threads, " threads");
}

void fail_each_call(Kind kind, const Operation& operation, int64_t least_calls) {
  CAPTURE(test::name_of(kind));
  operation.work();  // what is only made once in a process
  operation.reset();
  test::arm(kind, 0);
  const std::string expected = operation.work();
  test::disarm();
  const int64_t n_calls = test::calls(kind);
  operation.reset();
  REQUIRE(n_calls >= least_calls);
  int64_t errors = 0;
  int64_t unharmed = 0;
  int64_t looked_into = 0;
  test::Held most = test::held();
  for (const int64_t n : sample(n_calls)) {
    CAPTURE(n);
    ++(fail_call(kind, n, operation, expected) == Outcome::error ? errors : unharmed);
    if (!test::held().more_than(most)) continue;
    if (!test::has_failed_in_json()) {  // which docs/decisions/0026 tells of
      ++looked_into;
      CHECK(leak_of(kind, n, operation, expected) == "");
    }
    most = test::held();
  }
  MESSAGE(test::name_of(kind), ": ", n_calls, " calls, ", errors, " errors, ", unharmed, " unharmed; ", looked_into,
          " that left more were repeated");
}

GenerateOptions greedy(int max_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

std::vector<TokenId> some_prompt(int n) {
  std::vector<TokenId> ids;
  for (int i = 0; i < n; ++i) ids.push_back(i * 37 % 256);
  return ids;
}

LoadOptions load_options() {
  LoadOptions options;
  options.device = Device::cpu;
  options.threads = 2;
  options.prefill_chunk = 16;
  return options;
}

TEST_CASE("load and run") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "tiny.gguf";
  test::write_random_model(path);
  const auto prompt = some_prompt(40);
  const auto generate = greedy(6);
  const Operation operation{[&] {
    const auto engine = Engine::load(path, load_options());
    const auto session = engine->new_session();
    return engine->generate(*session, prompt, generate, {}).text;
  }};
  fail_each_call(Kind::open, operation, 1);
  fail_each_call(Kind::map, operation, 1);
  fail_each_call(Kind::read, operation, 0);
  fail_each_call(Kind::thread, operation, 2);
  fail_each_call(Kind::allocation, operation, 100);
}

// A folder of SafeTensors, as quantize --mlx writes it.
fs::path write_folder(const fs::path& folder) {
  test::write_random_model(folder / "source.gguf");
  QuantizeOptions options;
  options.threads = 2;
  quantize_to_mlx(folder / "source.gguf", folder / "tiny", {}, options);
  return folder / "tiny";
}

TEST_CASE("load and run a folder of SafeTensors") {
  const TemporaryFolder folder;
  const fs::path path = write_folder(folder.path());
  const auto prompt = some_prompt(40);
  const auto generate = greedy(6);
  const Operation operation{[&] {
    const auto engine = Engine::load(path, load_options());
    const auto session = engine->new_session();
    return engine->generate(*session, prompt, generate, {}).text;
  }};
  for (const Kind kind : {Kind::open, Kind::map, Kind::thread}) fail_each_call(kind, operation, 2);
  fail_each_call(Kind::read, operation, 0);
  fail_each_call(Kind::allocation, operation, 100);
}

TEST_CASE("run, and again in the same session") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "tiny.gguf";
  test::write_random_model(path);
  const auto engine = Engine::load(path, load_options());
  auto session = engine->new_session();
  const auto first = some_prompt(40);
  const auto second = some_prompt(70);
  const auto generate = greedy(6);
  Operation operation;
  operation.work = [&] { return engine->generate(*session, second, generate, {}).text; };
  operation.reset = [&] {
    session = engine->new_session();
    engine->generate(*session, first, generate, {});
  };
  operation.reset();
  fail_each_call(Kind::allocation, operation, 100);
}

TEST_CASE("quantize") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "tiny.gguf";
  test::write_random_model(path);
  const fs::path output = folder.path() / "out" / "tiny-q8_0.gguf";
  fs::create_directory(output.parent_path());
  QuantizeOptions options;
  options.threads = 2;
  Operation operation;
  operation.work = [&] {
    quantize_to_gguf(path, output, "q8_0", options);
    return std::string("done");
  };
  std::string expected;
  quantize_to_gguf(path, output, "q8_0", options);
  expected = bytes_of(output);
  operation.after_failure = [&] {
    // Renaming comes last, and only the folder is synced after that.
    if (fs::exists(output)) CHECK(bytes_of(output) == expected);
    for (const auto& file : files_below(output.parent_path())) CHECK(file == output.filename().string());
  };
  operation.reset = [&] {
    CHECK(bytes_of(output) == expected);
    fs::remove(output);
  };
  for (const Kind kind : {Kind::open, Kind::map, Kind::write, Kind::sync, Kind::rename, Kind::thread}) {
    fail_each_call(kind, operation, 1);
  }
  fail_each_call(Kind::allocation, operation, 100);
}

TEST_CASE("quantize to a folder of SafeTensors, and one to GGUF") {
  const TemporaryFolder folder;
  const fs::path source = write_folder(folder.path());
  const fs::path out = folder.path() / "out";
  fs::create_directory(out);
  QuantizeOptions options;
  options.threads = 2;
  options.requantize = true;
  const auto all_bytes = [&] {
    std::string bytes;
    for (const std::string& name : files_below(out)) {
      const fs::path file = out / name;
      bytes += name + "\n" + (fs::is_regular_file(file) ? bytes_of(file) : "");
    }
    return bytes;
  };
  const fs::path gguf = folder.path() / "source.gguf";
  const fs::path mlx_output = out / "mlx";
  const fs::path gguf_output = out / "tiny.gguf";
  Operation to_folder;
  to_folder.work = [&] {
    quantize_to_mlx(gguf, mlx_output, {}, options);
    return std::string("done");
  };
  Operation to_gguf;
  to_gguf.work = [&] {
    quantize_to_gguf(source, gguf_output, "q8_0", options);
    return std::string("done");
  };
  for (Operation* operation : {&to_folder, &to_gguf}) {
    fs::remove_all(out);
    fs::create_directory(out);
    operation->work();
    const std::string whole = all_bytes();
    operation->after_failure = [&] { CHECK((all_bytes().empty() || all_bytes() == whole)); };
    operation->reset = [&] {
      CHECK(all_bytes() == whole);
      fs::remove_all(out);
      fs::create_directory(out);
    };
    for (const Kind kind : {Kind::open, Kind::map, Kind::write, Kind::sync, Kind::rename, Kind::thread}) {
      fail_each_call(kind, *operation, 1);
    }
    fail_each_call(Kind::allocation, *operation, 100);
  }
}

// Run by pull_faults_test.py, which has a hub.
TEST_CASE("pull" * doctest::skip(std::getenv("EMELEX_TEST_REPOSITORY") == nullptr)) {
  const TemporaryFolder folder;
  const std::string repository = std::getenv("EMELEX_TEST_REPOSITORY");
  const fs::path root = folder.path() / "models";
  const ModelRegistry registry(root);
  PullOptions options;
  options.part_bytes = 40'000;
  options.connections = 2;
  options.retry_seconds = 0.001;
  options.stall_seconds = 5;
  Operation operation;
  operation.work = [&] {
    const InstalledModel model = registry.pull(repository, options);
    return model.name;
  };
  operation.after_failure = [&] {
    // Nothing is listed that is not whole.
    for (const InstalledModel& model : registry.list({})) CHECK(registry.verify(model).problems.empty());
  };
  operation.reset = [&] {
    for (const InstalledModel& model : registry.list({})) CHECK(registry.verify(model).problems.empty());
    fs::remove_all(root);
  };
  for (const Kind kind : {Kind::open, Kind::read, Kind::write, Kind::sync, Kind::rename, Kind::socket, Kind::thread}) {
    fail_each_call(kind, operation, 1);
  }
  fail_each_call(Kind::allocation, operation, 100);
}

}  // namespace
}  // namespace emelex
