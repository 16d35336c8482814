#pragma once

#include "cli/options.h"
#include "config/configuration.h"
#include "emelex/engine.h"

// What `emelex run` takes from a model's files, and what it says about them.
namespace emelex::cli {

// The settings' sampling, with what the model's makers recommend for each value that no flag, variable or file sets.
// The seed stays.
SamplingOptions sampling_for(const Engine& engine, const Configuration& configuration, const SamplingOptions& given);

// The chat options that --variables and --think ask for. Throws Error(invalid_argument) for variables that are no JSON
// object, and for --think where the model's template has no such choice.
ChatOptions chat_options_for(const Engine& engine, const RunFlags& flags);

// Notes for people on stderr: what in the model's files was left out, and a prompt that begins with its
// begin-of-sequence token twice.
void report_model_warnings(const Engine& engine);
void report_two_bos(const Engine& engine, std::span<const TokenId> prompt);

}  // namespace emelex::cli
