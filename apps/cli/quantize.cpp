// emelex quantize: writes a model with fewer bits a weight, or in another format.

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/json_document.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signal.h"
#include "config/configuration.h"
#include "emelex/error.h"
#include "emelex/hub.h"
#include "tools/quantize/quantize_model.h"

namespace emelex::cli {
namespace {

struct QuantizeFlags {
  std::string model;
  std::string output;
  std::string type = "q4_k_m";
  bool mlx = false;
  MlxTarget mlx_target;
  bool force = false;
  bool json = false;
  QuantizeOptions options;
};

// One line that is written over, in a terminal; ten lines in all elsewhere.
class ProgressLine {
 public:
  void show(const QuantizeProgress& progress) {
    const auto percent = static_cast<int>(100 * progress.bytes_done / std::max<uint64_t>(progress.bytes_total, 1));
    if (stderr_is_terminal()) {
      write_stderr_raw(str_cat("\r\x1B[K", percent, "% of ", human_bytes(static_cast<int64_t>(progress.bytes_total)),
                               "  tensor ", progress.tensor + 1, " of ", progress.n_tensors, "  ",
                               one_line(progress.name)));
      shown_ = true;
    } else if (percent / 10 > tenths_) {
      tenths_ = percent / 10;
      report_note(str_cat(10 * tenths_, "%"));
    }
  }
  void clear() {
    if (shown_) write_stderr_raw("\r\x1B[K");
    shown_ = false;
  }

 private:
  bool shown_ = false;
  int tenths_ = 0;
};

double bits_per_weight(uint64_t bytes, int64_t values) {
  return values > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(values) : 0.0;
}

std::string report_json(const QuantizeReport& report) {
  JsonDocument tensors = JsonDocument::array();
  for (const QuantizedTensor& tensor : report.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"from", tensor.from},
                       {"to", tensor.to},
                       {"bytes_before", tensor.bytes_before},
                       {"bytes", tensor.bytes_after}});
  }
  const JsonDocument all = {{"output", report.output.string()},
                            {"bytes_before", report.bytes_before},
                            {"bytes", report.bytes_after},
                            {"bits_per_weight", bits_per_weight(report.bytes_after, report.values)},
                            {"tensors", std::move(tensors)}};
  return ascii_escapes(all.text(2)) + "\n";
}

std::string report_text(const QuantizeReport& report, double seconds) {
  return str_cat(human_bytes(static_cast<int64_t>(report.bytes_before)), " → ",
                 human_bytes(static_cast<int64_t>(report.bytes_after)), ", ",
                 fixed(bits_per_weight(report.bytes_after, report.values), 2), " bits a weight, in ", fixed(seconds, 1),
                 " s; try it: emelex run ", one_line(report.output.string()));
}

// What --force is about to replace: "the file 'a.gguf' of 86.0 kB"; empty where there is nothing.
std::string replaced_text(const std::filesystem::path& output) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(output, error);
  if (!std::filesystem::exists(status)) return "";
  const bool folder = std::filesystem::is_directory(status);
  if (folder && std::filesystem::is_empty(output, error)) return "";
  int64_t bytes = 0;
  if (!folder) bytes = static_cast<int64_t>(std::filesystem::file_size(output, error));
  for (std::filesystem::directory_iterator entry(output, error), end; folder && !error && entry != end;
       entry.increment(error)) {
    bytes += static_cast<int64_t>(entry->file_size(error));
  }
  return str_cat(folder ? "the folder '" : "the file '", path_text(output), "' of ", human_bytes(bytes));
}

QuantizeReport write_output(QuantizeFlags& flags, const Settings& settings) {
  const std::filesystem::path model = model_to_run(flags.model, settings);
  const auto noted = open_registry(settings).note_output(flags.output);
  return flags.mlx ? quantize_to_mlx(model, flags.output, flags.mlx_target, flags.options)
                   : quantize_to_gguf(model, flags.output, flags.type, flags.options);
}

int quantize(QuantizeFlags flags) {
  std::error_code ignored;
  const bool there = std::filesystem::exists(std::filesystem::symlink_status(flags.output, ignored));
  if (!flags.force && there && !(flags.mlx && std::filesystem::is_empty(flags.output, ignored))) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[quantize] expected a name that is free (or --force), got ", one_line(flags.output)));
  }
  watch_interrupts();
  ProgressLine line;
  flags.options.replace = flags.force;
  flags.options.progress = [&line](const QuantizeProgress& progress) { line.show(progress); };
  flags.options.cancel = &interrupt_flag();
  const auto begin = std::chrono::steady_clock::now();
  const std::string replaced = replaced_text(flags.output);
  try {
    const QuantizeReport report = write_output(flags, read_configuration().settings);
    line.clear();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (!replaced.empty()) report_note(str_cat("replaced ", replaced));
    if (flags.json) standard_output().write(report_json(report));
    if (!flags.json) report_note(report_text(report, seconds));
    return kDone;
  } catch (...) {
    line.clear();
    throw;
  }
}

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const auto& [name, help] : quantization_names()) names.emplace_back(name);
  return names;
}

std::string types_help() {
  std::string text = "Types:\n";
  for (const auto& [name, help] : quantization_names()) {
    text += str_cat("  ", name, std::string(12 - name.size(), ' '), help, "\n");
  }
  return text;
}

}  // namespace

void add_quantize_command(Command& program, Action& action) {
  Command command = program.add_subcommand("quantize", "Write a model with fewer bits a weight");
  const auto flags = std::make_shared<QuantizeFlags>();
  command.add_option("MODEL", flags->model, "A .gguf file, a folder of SafeTensors, or a name that 'emelex list' shows")
      .required();
  command.add_option("OUTPUT", flags->output, "The .gguf file, or with --mlx the folder, to write").required();
  Option type = command.add_option("-t,--type", flags->type, "See below");
  type.check(Check::one_of_in_any_case(type_names())).show_default();
  Option mlx = command.add_flag("--mlx", flags->mlx, "Write a folder in MLX's format, for mlx-lm and emelex");
  mlx.excludes(type);
  command.add_option("--bits", flags->mlx_target.bits, "Of each weight, with --mlx")
      .check(Check::one_of({2, 3, 4, 5, 6, 8}))
      .needs(mlx)
      .show_default();
  command.add_option("--group-size", flags->mlx_target.group_size, "Weights that share a scale, with --mlx")
      .check(Check::one_of({32, 64, 128}))
      .needs(mlx)
      .show_default();
  command.add_flag("--requantize", flags->options.requantize,
                   "Take weights that are rounded already, and lose quality");
  command.add_flag("--force", flags->force, "Replace OUTPUT where it is there");
  command.add_option("--threads", flags->options.threads, "Threads that round [one a physical core]")
      .check(number_within(1, kMostThreads));
  command.add_flag("--json", flags->json, "Print what became of each tensor as JSON");
  command.footer(types_help());
  command.when_chosen([flags, &action] { action = [flags] { return quantize(*flags); }; });
}

}  // namespace emelex::cli
