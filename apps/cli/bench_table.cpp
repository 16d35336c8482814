#include "cli/bench_table.h"

#include <algorithm>
#include <vector>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/format.h"
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

// A cell of a Markdown table: as wide as its column, numbers to the right.
std::string cell(const std::string& text, size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

std::string markdown_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.at(0).size(), 3);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string table;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = "|";
    std::string rule = "|";
    for (size_t i = 0; i < widths.size(); ++i) {
      line += str_cat(" ", cell(rows[r][i], widths[i], i > 0), " |");
      rule += str_cat(" ", std::string(widths[i] - 1, '-'), i > 0 ? ":" : "-", " |");
    }
    table += line + "\n";
    if (r == 0) table += rule + "\n";
  }
  return table;
}

}  // namespace

namespace {

// MLX's kernels have neither an instruction set nor threads of ours, a GPU has no threads of ours.
std::string computed_by(const ModelInfo& model) {
  if (model.instruction_set.empty()) return str_cat(model.device, ", ", model.kernels, " kernels");
  if (model.device == "gpu") return str_cat("gpu, ", model.instruction_set, ", ", model.kernels, " kernels");
  return str_cat(model.device, ", ", model.instruction_set, ", ", model.kernels, " kernels, ", model.threads,
                 " threads");
}

}  // namespace

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
  return str_cat(one_line(model.name), ": ", model.architecture, ", ", model.quantization, ", ",
                 human_count(model.parameters), " parameters, ", human_bytes(model.weight_bytes), "\n",  //
                 computed_by(model), ", ", repetitions, " repetitions, emelex ", build.version, ", MLX ",
                 build.mlx_version, "\n\n", markdown_table(rows));
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
  const std::string measured_on =
      str_cat(csv_field(model.name), ",", csv_field(model.architecture), ",", csv_field(model.quantization), ",",
              model.parameters, ",", model.weight_bytes, ",", model.device, ",", model.instruction_set, ",",
              model.kernels, ",", model.threads, ",", build.version, ",", build.mlx_version);
  for (const BenchRow& row : report.rows) {
    csv += str_cat(csv_field(row.test), ",", row.repetitions);
    for (double rate : {row.mean, row.stddev, row.min, row.median, row.max}) csv += "," + fixed(rate, 3);
    csv += str_cat(",", fixed(row.bytes_per_second, 0), ",", fixed(row.memory_bytes_per_second, 0), ",", measured_on,
                   "\n");
  }
  return csv;
}

}  // namespace emelex::cli
