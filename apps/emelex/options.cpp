#include "emelex/options.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <limits>

#include "base/strings.h"

namespace emelex::cli {
namespace {

constexpr double kMaxInt = std::numeric_limits<int>::max();

// The penalties and cuts of sampling, in the order in which they are applied.
void add_sampling_flags(CLI::App& app, SamplingOptions& sampling) {
  app.add_option("--temperature", sampling.temperature, "Randomness; 0: always the likeliest token")
      ->check(number_within(0, 100))
      ->capture_default_str();
  app.add_option("--top-p", sampling.top_p, "Keep the likeliest tokens that add up to this probability; 1: off")
      ->check(number_within(0, 1, true))
      ->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "Keep the K likeliest tokens; 0: off")
      ->check(number_within(0, kMaxInt))
      ->capture_default_str();
  app.add_option("--min-p", sampling.min_p, "Drop tokens less likely than this part of the likeliest; 0: off")
      ->check(number_within(0, 1))
      ->capture_default_str();
  app.add_option("--repeat-penalty", sampling.repeat_penalty, "Makes recent tokens less likely; 1: off")
      ->check(number_within(0, 100, true))
      ->capture_default_str();
  app.add_option_function<uint64_t>(
         "--seed", [&sampling](uint64_t seed) { sampling.seed = seed; }, "The same seed gives the same text")
      ->check(CLI::Validator(
          [](std::string& text) {  // strtoull would take "-1" for a large number, and cut off one that is too large
            const std::string most = str_cat(std::numeric_limits<uint64_t>::max());
            const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
            const bool fits = text.size() < most.size() || (text.size() == most.size() && text <= most);
            return digits && fits ? std::string() : str_cat("expected a whole number of 64 bits, got '", text, "'");
          },
          ""));
}

}  // namespace

CLI::Validator number_within(double least, double most, bool open) {
  const std::string range = str_cat("a number ", open ? "above " : "from ", least,
                                    most >= kMaxInt ? std::string(" up") : str_cat(" to ", most));
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
        const bool inside = number && value <= most && (open ? value > least : value >= least);
        return inside ? "" : str_cat("expected ", range, ", got '", text, "'");
      },
      "", "number");
}

Device RuntimeFlags::device_value() const {
  return device == "cpu" ? Device::cpu : device == "gpu" ? Device::gpu : Device::automatic;
}

KvType RuntimeFlags::kv_type_value() const {
  if (kv_type == "f16") return KvType::f16;
  if (kv_type == "f32") return KvType::f32;
  return kv_type == "q8_0" ? KvType::q8_0 : KvType::automatic;
}

KernelRoute RuntimeFlags::kernels_value() const { return kernels_named(kernels); }

KernelRoute kernels_named(const std::string& name) {
  if (name == "fast") return KernelRoute::fast;
  if (name == "float") return KernelRoute::float32;
  return name == "mlx" ? KernelRoute::mlx : KernelRoute::automatic;
}

CLI::Validator kernel_names() { return CLI::IsMember({"fast", "float", "mlx"}); }

void add_runtime_flags(CLI::App& app, RuntimeFlags& flags) {
  app.add_option("-t,--threads", flags.threads, "Threads that compute; 0: one per physical core")
      ->check(number_within(0, 4096));
  app.add_option("--device", flags.device, "What computes")->check(CLI::IsMember({"cpu", "gpu"}));
  app.add_option("--kv-type", flags.kv_type, "How the KV cache stores numbers")
      ->check(CLI::IsMember({"f16", "f32", "q8_0"}));
  app.add_option("--kernels", flags.kernels, "fast or exact (float) CPU kernels of emelex, or those of MLX")
      ->check(kernel_names());
}

LoadOptions RunFlags::load_options() const {
  LoadOptions options;
  options.device = runtime.device_value();
  options.kernels = runtime.kernels_value();
  options.kv_type = runtime.kv_type_value();
  options.threads = runtime.threads;
  options.context = context;
  return options;
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
  app.add_option("MODEL", flags.model, "A .gguf file, or a name that 'emelex list' shows")->required();
  app.add_option_function<std::string>(
      "PROMPT", [&flags](const std::string& text) { flags.prompt = text; },
      "What to answer; without it stdin is read, or a chat begins");
  app.add_option_function<std::string>(
      "-p,--prompt", [&flags](const std::string& text) { flags.prompt_flag = text; }, "The prompt, as a flag");
  app.add_option("-f,--file", flags.file, "Text of this file is put before the prompt");
  app.add_option("--system", flags.system, "Instructions that the whole conversation follows");
  app.add_option_function<int>(
         "--max-tokens", [&flags](int n) { flags.max_tokens = n; }, "Longest answer [1000, or 2048 in chat]")
      ->check(number_within(0, kMaxInt));
  add_sampling_flags(app, flags.generate.sampling);
  // One value each time and no list syntax: a stop text may well be "[END]".
  app.add_option("--stop", flags.generate.stop, "Text that ends the answer; may be given again")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  app.add_flag("--raw", flags.raw, "Go on with the prompt as it is, without the chat template");
  app.add_option("--context", flags.context, "Tokens that a conversation can hold [model's, at most 8192]")
      ->check(number_within(1, kMaxInt));
  add_runtime_flags(app, flags.runtime);
  app.add_flag("--stats", flags.stats, "Print token counts and speed to stderr");
  app.add_flag("--json", flags.json, "Print one JSON object at the end, and no text before");
}

}  // namespace emelex::cli
