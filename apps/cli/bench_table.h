#pragma once

#include <string>

#include "emelex/engine.h"
#include "tools/bench.h"

namespace emelex::cli {

// Two lines for people: the model, and the machine with `what` was measured.
std::string measured_on(const ModelInfo& model, const BuildInfo& build, const std::string& what);

// A report for people, as two lines on the model and the machine and a Markdown table.
std::string bench_markdown(const BenchReport& report, const BuildInfo& build);

// One JSON object: "emelex", "mlx", "model" and "tests"; rates in tokens per second.
std::string bench_json(const BenchReport& report, const BuildInfo& build);

// A heading and a line for each test, which repeats what it was measured on.
std::string bench_csv(const BenchReport& report, const BuildInfo& build);

}  // namespace emelex::cli
