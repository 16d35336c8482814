#include "cli/bench_table.h"

#include <algorithm>
#include <vector>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/format.h"
#include "cli/markdown_table.h"
#include "cli/model_json.h"

namespace emelex::cli {
namespace {

// A field of a CSV line, in quotes where RFC 4180 wants them.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string field = "\"";
  for (char c : text) field.append(c == '"' ? 2 : 1, c);
  return field + "\"";
}

// MLX's kernels have neither an instruction set nor threads of ours, a GPU has no threads of ours.
std::string computed_by(const ModelInfo& model) {
  if (model.instruction_set.empty()) return str_cat(model.device, ", ", model.kernels, " kernels");
  if (model.device == "gpu") return str_cat("gpu, ", model.instruction_set, ", ", model.kernels, " kernels");
  return str_cat(model.device, ", ", model.instruction_set, ", ", model.kernels, " kernels, ", model.threads,
                 " threads");
}

}  // namespace

std::string measured_on(const ModelInfo& model, const BuildInfo& build, const std::string& what) {
  return str_cat(one_line(model.name), ": ", model.architecture, ", ", model.quantization, ", ",
                 human_count(model.parameters), " parameters, ", human_bytes(model.weight_bytes), "\n",  //
                 computed_by(model), ", ", what, ", emelex ", build.version, ", MLX ", build.mlx_version, "\n");
}

std::string bench_markdown(const BenchReport& report, const BuildInfo& build) {
  const ModelInfo& model = report.model;
  std::vector<std::vector<std::string>> rows = {{"test", "tok/s", "+/-", "min", "median", "max", "GB/s"}};
  for (const BenchRow& row : report.rows) {
    std::string bandwidth = row.bytes_per_second > 0 ? fixed(row.bytes_per_second / 1e9, 2) : "";
    if (row.memory_bytes_per_second > 0) bandwidth += str_cat(" of ", fixed(row.memory_bytes_per_second / 1e9, 2));
    rows.push_back({row.test, fixed(row.mean, 2), fixed(row.stddev, 2), fixed(row.min, 2), fixed(row.median, 2),
                    fixed(row.max, 2), bandwidth});
  }
  const int repetitions = report.rows.empty() ? 0 : report.rows[0].repetitions;
  return str_cat(measured_on(model, build, str_cat(repetitions, " repetitions")), "\n", markdown_table(rows));
}

std::string bench_json(const BenchReport& report, const BuildInfo& build) {
  const ModelInfo& model = report.model;
  JsonDocument tests = JsonDocument::array();
  for (const BenchRow& row : report.rows) {
    tests.push_back({{"test", row.test},
                     {"repetitions", row.repetitions},
                     {"mean", row.mean},
                     {"stddev", row.stddev},
                     {"min", row.min},
                     {"median", row.median},
                     {"max", row.max},
                     {"bytes_per_second", row.bytes_per_second},
                     {"memory_bytes_per_second", row.memory_bytes_per_second}});
  }
  const JsonDocument json = {
      {"emelex", build.version}, {"mlx", build.mlx_version}, {"model", model_json(model)}, {"tests", tests}};
  return ascii_escapes(json.text(2)) + "\n";
}

std::string bench_csv(const BenchReport& report, const BuildInfo& build) {
  const ModelInfo& model = report.model;
  std::string csv =
      "test,repetitions,mean,stddev,min,median,max,bytes_per_second,memory_bytes_per_second,model,architecture,"
      "quantization,parameters,weight_bytes,device,instruction_set,kernels,threads,emelex,mlx\n";
  const std::string where =
      str_cat(csv_field(model.name), ",", csv_field(model.architecture), ",", csv_field(model.quantization), ",",
              model.parameters, ",", model.weight_bytes, ",", model.device, ",", model.instruction_set, ",",
              model.kernels, ",", model.threads, ",", build.version, ",", build.mlx_version);
  for (const BenchRow& row : report.rows) {
    csv += str_cat(csv_field(row.test), ",", row.repetitions);
    for (double rate : {row.mean, row.stddev, row.min, row.median, row.max}) csv += "," + fixed(rate, 3);
    csv += str_cat(",", fixed(row.bytes_per_second, 0), ",", fixed(row.memory_bytes_per_second, 0), ",", where, "\n");
  }
  return csv;
}

}  // namespace emelex::cli
