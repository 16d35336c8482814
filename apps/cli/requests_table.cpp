#include "cli/requests_table.h"

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/bench_table.h"
#include "cli/format.h"
#include "cli/markdown_table.h"
#include "cli/model_json.h"

namespace emelex::cli {
namespace {

std::vector<std::string> milliseconds(const std::string& name, const Times& times) {
  const auto ms = [](double seconds) { return fixed(seconds * 1e3, 1); };
  return {name, ms(times.p50), ms(times.p90), ms(times.p99), ms(times.max)};
}

JsonDocument times_json(const Times& times) {
  return {{"p50", times.p50}, {"p90", times.p90}, {"p99", times.p99}, {"max", times.max}};
}

}  // namespace

std::string requests_markdown(const RequestsReport& report, const BuildInfo& build) {
  const EngineStats& stats = report.stats;
  const double hits = stats.prompt_tokens > 0
                          ? 100.0 * static_cast<double>(stats.cached_tokens) / static_cast<double>(stats.prompt_tokens)
                          : 0;
  return str_cat(measured_on(report.model, build, str_cat(stats.finished, " requests")), "\n",
                 markdown_table({{"ms", "p50", "p90", "p99", "max"},
                                 milliseconds("in the queue", report.queue),
                                 milliseconds("first text", report.first),
                                 milliseconds("between pieces of text", report.between)}),
                 "\n", fixed(report.tokens_per_second, 1), " tok/s generated, ", fixed(report.prompts_per_second, 1),
                 " tok/s of prompts, ", fixed(hits, 1), "% of them from the cache\n",  //
                 fixed(report.seconds, 2), " s, ", stats.steps, " steps, ", stats.preemptions, " preemptions\n");
}

std::string requests_json(const RequestsReport& report, const BuildInfo& build) {
  const JsonDocument json = {{"emelex", build.version},
                             {"mlx", build.mlx_version},
                             {"model", model_json(report.model)},
                             {"requests", report.stats.finished},
                             {"seconds", report.seconds},
                             {"generated_tokens", report.stats.generated_tokens},
                             {"generated_tokens_per_second", report.tokens_per_second},
                             {"prompt_tokens", report.stats.prompt_tokens},
                             {"prompt_tokens_per_second", report.prompts_per_second},
                             {"cached_tokens", report.stats.cached_tokens},
                             {"steps", report.stats.steps},
                             {"preemptions", report.stats.preemptions},
                             {"queue_seconds", times_json(report.queue)},
                             {"first_text_seconds", times_json(report.first)},
                             {"between_texts_seconds", times_json(report.between)}};
  return ascii_escapes(json.text(2)) + "\n";
}

}  // namespace emelex::cli
