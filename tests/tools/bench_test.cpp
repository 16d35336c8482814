#include "tools/bench.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "engine/tiny_model.h"

namespace emelex {
namespace {

struct Fixture {
  Fixture() { test::write_random_model(path); }

  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "tiny.gguf";
};

BenchOptions quick() {
  BenchOptions options;
  options.prompt = {32, 100};
  options.generate = {4};
  options.repetitions = 3;
  options.load.threads = 1;
  return options;
}

TEST_CASE("each length is a row with rates that fit each other") {
  const Fixture f;
  std::vector<std::string> lines;
  const auto report = run_bench(f.path, quick(), [&](std::string_view line) { lines.emplace_back(line); });
  CHECK(report.model.name == "Tiny");
  REQUIRE(report.rows.size() == 3);
  const std::vector<std::string> names = {"pp32", "pp100", "tg4"};
  for (size_t i = 0; i < 3; ++i) {
    const BenchRow& row = report.rows[i];
    CHECK(row.test == names[i]);
    CHECK(row.repetitions == 3);
    CHECK(row.min > 0);
    CHECK(row.min <= row.median);
    CHECK(row.median <= row.max);
    CHECK(row.min <= row.mean);
    CHECK(row.mean <= row.max);
    CHECK(row.stddev >= 0);
  }
  CHECK(report.rows[0].bytes_per_second == 0);
  CHECK(report.rows[2].memory_bytes_per_second == 0);  // not asked for
  CHECK(report.rows[2].bytes_per_second > report.rows[2].mean * static_cast<double>(report.model.active_bytes));
  REQUIRE(lines.size() == 12);  // a warm-up and three runs each
  CHECK(lines[0] == "pp32: warm-up");
  CHECK(lines[11] == "tg4: run 3 of 3");
}

TEST_CASE("depth and batch are part of a row's name") {
  const Fixture f;
  auto options = quick();
  options.prompt = {8};
  options.depth = 70;
  options.batch = 3;
  options.repetitions = 1;
  const auto report = run_bench(f.path, options, {});
  CHECK(report.rows[0].test == "pp8 @ d70 x b3");
  CHECK(report.rows[1].test == "tg4 @ d70 x b3");
  CHECK(report.rows[1].stddev == 0);
}

TEST_CASE("lengths that do not fit the context, or mean nothing, are refused") {
  const Fixture f;
  constexpr int kMost = std::numeric_limits<int>::max();
  const auto refused = [&](std::initializer_list<std::string_view> parts, const auto& change) {
    auto options = quick();
    change(options);
    expect_error(ErrorCode::invalid_argument, parts, [&] { run_bench(f.path, options, {}); });
  };
  refused({"[bench]", "pp129", "128"}, [](auto& o) { o.prompt = {129}; });
  refused({"[bench]", "pp32 @ d100", "128"}, [](auto& o) { o.depth = 100; });
  refused({"[bench]", "128"}, [](auto& o) { o.depth = kMost; });
  refused({"[bench]", "128"}, [](auto& o) { o.prompt = {kMost}; });
  refused({"[bench]", "got 0"}, [](auto& o) { o.prompt = {0}; });
  refused({"[bench]", "got -1"}, [](auto& o) { o.generate = {-1}; });
  refused({"[bench]", "depth"}, [](auto& o) { o.depth = -1; });
  refused({"[bench]", "sequence"}, [](auto& o) { o.batch = 0; });
  refused({"[bench]", "repetition"}, [](auto& o) { o.repetitions = 0; });
}

}  // namespace
}  // namespace emelex
