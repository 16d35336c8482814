#include "cli/options.h"

#include <limits>

#include "base/strings.h"
#include "cli/model.h"
#include "config/setting_keys.h"

namespace emelex::cli {
namespace {

constexpr double kMaxInt = std::numeric_limits<int>::max();

// strtoull would take "-1" for a large number, and cut off one that is too large.
std::string seed_problem(const std::string& text) {
  const std::string most = str_cat(std::numeric_limits<uint64_t>::max());
  const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
  const bool fits = text.size() < most.size() || (text.size() == most.size() && text <= most);
  return digits && fits ? "" : str_cat("expected a whole number of 64 bits, got '", text, "'");
}

void add_sampling_flags(Command& command, SettingFlags& flags, SamplingOptions& sampling) {
  for (const char* setting : {"temperature", "top_p", "top_k", "min_p", "repeat_penalty"}) {
    add_setting_flag(command, flags, setting);
  }
  command.add_option("--seed", sampling.seed, "The same seed gives the same text").check(Check(seed_problem));
}

// What --help says that a setting is.
std::string type_name(const SettingKey& key) {
  Settings settings;
  const SettingField field = key.field(settings);
  if (std::holds_alternative<int*>(field)) return "INT";
  if (std::holds_alternative<float*>(field)) return "FLOAT";
  if (std::holds_alternative<bool*>(field)) return "BOOLEAN";
  if (std::holds_alternative<ByteCount*>(field)) return "SIZE";
  std::string choices;
  for (const std::string_view choice : key.choices) choices += str_cat(choices.empty() ? "{" : ",", choice);
  return choices.empty() ? "TEXT" : choices + "}";
}

}  // namespace

Check number_within(double least, double most, bool open) {
  return Check([=](std::string& text) { return number_problem(text, least, most, open); });
}

void add_setting_flag(Command& command, SettingFlags& flags, std::string_view setting, std::string_view short_name) {
  const SettingKey& key = find_setting(setting);
  const std::string names = str_cat(short_name, short_name.empty() ? "" : ",", flag_name(key));
  const auto check = [&key](std::string& text) -> std::string {
    try {
      Settings scratch;
      set_setting(key, text, scratch);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const auto set = [&key, &flags](const std::string& text) { flags[std::string(key.name)] = text; };
  command.add_option(names, set, std::string(key.help))
      .check(Check(check))
      .type_name(type_name(key))
      .default_text(setting_text(key, Settings()));
}

LoadOptions RuntimeFlags::load_options(const Settings& all) const {
  LoadOptions options;
  options.device = all.device == "cpu" ? Device::cpu : all.device == "gpu" ? Device::gpu : Device::automatic;
  options.kv_type = all.kv_type == "f16"    ? KvType::f16
                    : all.kv_type == "f32"  ? KvType::f32
                    : all.kv_type == "q8_0" ? KvType::q8_0
                                            : KvType::automatic;
  options.kernels = kernels_named(kernels);
  options.threads = all.threads;
  options.context = all.context;
  options.memory_limit = all.memory_limit.bytes;
  options.gpu_memory_limit = all.gpu_memory_limit.bytes;
  options.gpu_float16_copy = all.gpu_float16_copy;
  return options;
}

KernelBackend kernels_named(const std::string& name) {
  if (name == "fast") return KernelBackend::fast;
  if (name == "float") return KernelBackend::float32;
  return name == "mlx" ? KernelBackend::mlx : KernelBackend::automatic;
}

Check kernel_names() { return Check::one_of({"fast", "float", "mlx"}); }

void add_runtime_flags(Command& command, RuntimeFlags& flags) {
  add_setting_flag(command, flags.settings, "threads", "-t");
  for (const char* setting : {"device", "kv_type", "memory_limit", "gpu_memory_limit", "gpu_float16_copy"}) {
    add_setting_flag(command, flags.settings, setting);
  }
  command.add_option("--kernels", flags.kernels, "fast or float32 (float) CPU kernels of emelex, or those of MLX")
      .check(kernel_names());
}

void add_run_flags(Command& command, RunFlags& flags) {
  command.add_option("MODEL", flags.model, kModelHelp);
  command.add_option("PROMPT", flags.prompt, "What to answer; without it stdin is read, or a chat begins");
  command.add_option("-p,--prompt", flags.prompt_flag, "The prompt, as a flag");
  command.add_option("-f,--file", flags.file, "Text of this file is put before the prompt");
  command.add_option("--system", flags.system, "Instructions that the whole conversation follows");
  command.add_flag(
      "--think,!--no-think", flags.think,
      "Let a model reason before it answers, or not; --think=false, where its chat template has the choice");
  command.add_option("--variables", flags.variables, "More for the chat template, a JSON object: '{\"name\": value}'");
  command.add_option("--max-tokens", flags.max_tokens, "Longest answer [1000, or 2048 in chat]")
      .check(number_within(0, kMaxInt));
  add_sampling_flags(command, flags.runtime.settings, flags.generate.sampling);
  // One value each time and no list syntax: a stop text may well be "[END]".
  command.add_option("--stop", flags.generate.stop, "Text that ends the answer; may be given again")
      .one_value_each_time();
  command.add_flag("--raw", flags.raw, "Go on with the prompt as it is, without the chat template");
  add_setting_flag(command, flags.runtime.settings, "context");
  add_runtime_flags(command, flags.runtime);
  command.add_flag("--stats", flags.stats, "Print token counts and speed to stderr");
  command.add_flag("--json", flags.json, "Print one JSON object at the end, and no text before");
}

}  // namespace emelex::cli
