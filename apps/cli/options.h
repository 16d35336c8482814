#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cli/flags.h"
#include "config/settings.h"
#include "emelex/engine.h"

namespace emelex::cli {

// A finite number of at least `least` (more than it, when `open`) and at most `most`.
Check number_within(double least, double most, bool open = false);

// Flags that are settings: a setting's name → what was given for it.
using SettingFlags = std::map<std::string, std::string>;

// Adds "--top-p" for "top_p" and so on; `short_name` is one more name for it, such as "-t". What is given is checked as
// a setting of the configuration is. `flags` must outlive the parsing.
void add_setting_flag(Command& command, SettingFlags& flags, std::string_view setting,
                      std::string_view short_name = "");

// Those that say where and how a model runs.
struct RuntimeFlags {
  SettingFlags settings;
  std::string kernels;  // empty: automatic

  // `settings` are what those flags and the configuration come to.
  LoadOptions load_options(const Settings& settings) const;
};

// "fast", "float" or "mlx"; anything else is automatic.
KernelBackend kernels_named(const std::string& name);

// The names that kernels_named knows, as a check for a flag.
Check kernel_names();

// --threads, --device, --kv-type, --memory-limit, --gpu-memory-limit, --kernels. `flags` must outlive the parsing.
void add_runtime_flags(Command& command, RuntimeFlags& flags);

// The flags of `emelex run`.
struct RunFlags {
  std::string model;
  std::optional<std::string> prompt;       // as an argument
  std::optional<std::string> prompt_flag;  // as -p
  std::string file;
  std::string system;
  std::string variables;          // for the chat template, a JSON object; empty: none
  std::optional<bool> think;      // none: as the template has it
  std::optional<int> max_tokens;  // none: 1,000, or 2,048 in chat
  bool raw = false;
  bool stats = false;
  bool json = false;
  RuntimeFlags runtime;
  GenerateOptions generate;  // its sampling is the settings', but for the seed
};

// `flags` must outlive the parsing.
void add_run_flags(Command& command, RunFlags& flags);

}  // namespace emelex::cli
