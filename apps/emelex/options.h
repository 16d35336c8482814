#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "emelex/engine.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace emelex::cli {

// A finite number of at least `least` (more than it, when `open`) and at most `most`.
CLI::Validator number_within(double least, double most, bool open = false);

// Where and how a model runs, as flags say it.
struct RuntimeFlags {
  int threads = 0;
  std::string device;  // empty: automatic, as the next two
  std::string kv_type;
  std::string kernels;

  Device device_value() const;
  KvType kv_type_value() const;
  KernelRoute kernels_value() const;
};

// "fast", "float" or "mlx"; anything else is automatic.
KernelRoute kernels_named(const std::string& name);

// The names that kernels_named knows, as a check for a flag.
CLI::Validator kernel_names();

// --threads, --device, --kv-type, --kernels. `flags` must outlive `app`.
void add_runtime_flags(CLI::App& app, RuntimeFlags& flags);

// The flags of `emelex run`.
struct RunFlags {
  std::string model;
  std::optional<std::string> prompt;       // as an argument
  std::optional<std::string> prompt_flag;  // as -p
  std::string file;
  std::string system;
  std::optional<int> max_tokens;  // none: 1,000, or 2,048 in chat
  int context = 0;
  bool raw = false;
  bool stats = false;
  bool json = false;
  RuntimeFlags runtime;
  GenerateOptions generate;

  LoadOptions load_options() const;
};

// `flags` must outlive `app`.
void add_run_flags(CLI::App& app, RunFlags& flags);

}  // namespace emelex::cli
