#include "cli/eval_report.h"

#include <cstdio>
#include <vector>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/format.h"
#include "cli/model_json.h"
#include "cli/text_table.h"

namespace emelex::cli {
namespace {

using Json = JsonDocument;

std::string model_text(const ModelInfo& model) {
  return str_cat(one_line(model.name), ": ", one_line(model.architecture), ", ", model.quantization, ", ",
                 human_count(model.parameters), " parameters, ", human_bytes(model.weight_bytes));
}

// Four digits that say something: divergences range over many powers of ten.
std::string significant(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

std::string percent(double part) { return fixed(100 * part, 3) + "%"; }

std::string with_error(double value, double error, int digits) {
  return fixed(value, digits) + " +/- " + fixed(error, digits);
}

using Rows = std::vector<std::vector<std::string>>;

void add_comparison(Rows& rows, const Comparison& comparison) {
  rows.push_back({"of the other", with_error(comparison.other.value, comparison.other.error, 4)});
  rows.push_back({"ratio", with_error(comparison.ratio.mean, comparison.ratio.error, 6)});
  rows.push_back({"KL divergence", str_cat(significant(comparison.kl.mean), " +/- ", significant(comparison.kl.error),
                                           " nats, other || this")});
  const auto kl = [&rows](const char* name, double value) { rows.push_back({name, significant(value)}); };
  kl("  median", comparison.kl_median);
  kl("  90%", comparison.kl_90);
  kl("  99%", comparison.kl_99);
  kl("  99.9%", comparison.kl_999);
  kl("  maximum", comparison.kl_max);
  rows.push_back({"same top token", percent(comparison.same_top)});
  rows.push_back({"right token's p", str_cat(percent(comparison.mean_delta_p), " in the mean, ",
                                             percent(comparison.rms_delta_p), " RMS, this - other")});
}

Json perplexity_json(const Perplexity& perplexity) {
  return {{"value", perplexity.value},
          {"error", perplexity.error},
          {"nll", perplexity.nll.mean},
          {"nll_error", perplexity.nll.error}};
}

Json comparison_json(const Comparison& comparison) {
  return {{"other_perplexity", perplexity_json(comparison.other)},
          {"ratio", comparison.ratio.mean},
          {"ratio_error", comparison.ratio.error},
          {"kl", comparison.kl.mean},
          {"kl_error", comparison.kl.error},
          {"kl_median", comparison.kl_median},
          {"kl_90", comparison.kl_90},
          {"kl_99", comparison.kl_99},
          {"kl_999", comparison.kl_999},
          {"kl_max", comparison.kl_max},
          {"same_top", comparison.same_top},
          {"mean_delta_p", comparison.mean_delta_p},
          {"rms_delta_p", comparison.rms_delta_p}};
}

}  // namespace

std::string eval_text(const EvaluateReport& report) {
  const ModelInfo& model = report.model;
  std::string text = model_text(model) + "\n";
  if (report.other) text += "against " + model_text(*report.other) + "\n";
  text += str_cat(model.device, ", ", model.instruction_set, ", ", model.kernels, " kernels, ", model.threads,
                  " threads; ", report.chunks, " of ", report.chunks_wanted, " chunks of ", report.context, " tokens, ",
                  report.predictions, " predictions, ", fixed(report.seconds, 1), " s\n\n");
  Rows rows = {{"perplexity", with_error(report.perplexity.value, report.perplexity.error, 4)}};
  if (report.comparison) add_comparison(rows, *report.comparison);
  return text + text_table(rows);
}

std::string eval_json(const EvaluateReport& report) {
  const bool measured = report.chunks > 0;
  const bool compared = measured && report.comparison;
  const Json json = {{"model", model_json(report.model)},
                     {"against", report.other ? model_json(*report.other) : Json(nullptr)},
                     {"context", report.context},
                     {"text_tokens", report.text_tokens},
                     {"chunks", report.chunks},
                     {"chunks_wanted", report.chunks_wanted},
                     {"predictions", report.predictions},
                     {"seconds", report.seconds},
                     {"cancelled", report.cancelled},
                     {"perplexity", measured ? perplexity_json(report.perplexity) : Json(nullptr)},
                     {"comparison", compared ? comparison_json(*report.comparison) : Json(nullptr)}};
  return json.text(2, true) + "\n";
}

}  // namespace emelex::cli
