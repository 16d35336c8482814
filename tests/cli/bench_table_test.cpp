#include "cli/bench_table.h"

#include <doctest/doctest.h>

using namespace emelex;
using namespace emelex::cli;

namespace {

BenchReport example() {
  BenchReport report;
  report.model = {"My, model", "llama", "q4_1", 134515008, 98000000, 98000000, 0,
                  8192,        8192,    23040,  2,         "cpu",    "fast",   "avx2"};
  report.rows = {{"pp512", 5, 310.256, 2.5, 305, 310, 314, 0}, {"tg128", 5, 40.5, 0.25, 40, 40.5, 41, 3.97e9, 4.125e9}};
  return report;
}

const BuildInfo kBuild = {"0.1.0", "0.32.4", "avx2", {"cpu"}};

}  // namespace

TEST_CASE("the Markdown report says what was measured, on what, and how it spread") {
  BenchReport report = example();
  report.rows[1].memory_bytes_per_second = 0;
  CHECK(bench_markdown(report, kBuild) ==
        "My, model: llama, q4_1, 134.5M parameters, 98.0 MB\n"
        "cpu, avx2, fast kernels, 2 threads, 5 repetitions, emelex 0.1.0, MLX 0.32.4\n"
        "\n"
        "| test  |  tok/s |  +/- |    min | median |    max | GB/s |\n"
        "| ----- | -----: | ---: | -----: | -----: | -----: | ---: |\n"
        "| pp512 | 310.26 | 2.50 | 305.00 | 310.00 | 314.00 |      |\n"
        "| tg128 |  40.50 | 0.25 |  40.00 |  40.50 |  41.00 | 3.97 |\n");
}

TEST_CASE("what memory gave stands beside what was read of it") {
  CHECK(bench_markdown(example(), kBuild).find("|  41.00 | 3.97 of 4.12 |\n") != std::string::npos);
}

TEST_CASE("on MLX's kernels no instruction set and no threads are spoken of") {
  BenchReport report = example();
  report.model.device = "gpu";
  report.model.kernels = "mlx";
  report.model.instruction_set.clear();
  CHECK(bench_markdown(report, kBuild).find("\ngpu, mlx kernels, 5 repetitions, emelex") != std::string::npos);
}

TEST_CASE("CSV has as many fields in each line as in the heading, names with commas in quotes") {
  const std::string csv = bench_csv(example(), kBuild);
  CHECK(csv.find("tg128,5,40.500,0.250,40.000,40.500,41.000,3970000000,4125000000,\"My, "
                 "model\",llama,q4_1,134515008,98000000,cpu,"
                 "avx2,fast,2,0.1.0,0.32.4\n") != std::string::npos);
}

TEST_CASE("JSON carries the same numbers") {
  const std::string json = bench_json(example(), kBuild);
  for (const char* part : {"\"test\": \"tg128\"", "\"mean\": 40.5", "\"memory_bytes_per_second\": 4125000000.0",
                           "\"threads\": 2", "\"instruction_set\": \"avx2\""}) {
    CAPTURE(part);
    CHECK(json.find(part) != std::string::npos);
  }
}
