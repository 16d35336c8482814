#pragma once

#include <memory>

#include "models/model.h"

// The architectures, each in the file of its name; registry.cpp finds them by general.architecture.
namespace emelex {

std::unique_ptr<Model> make_command_r(const ModelInput& source);
std::unique_ptr<Model> make_gemma2(const ModelInput& source);
std::unique_ptr<Model> make_gemma3(const ModelInput& source);
std::unique_ptr<Model> make_gpt_oss(const ModelInput& source);
std::unique_ptr<Model> make_granite(const ModelInput& source);
std::unique_ptr<Model> make_llama(const ModelInput& source);
std::unique_ptr<Model> make_olmo2(const ModelInput& source);
std::unique_ptr<Model> make_phi2(const ModelInput& source);
std::unique_ptr<Model> make_phi3(const ModelInput& source);
std::unique_ptr<Model> make_qwen2(const ModelInput& source);
std::unique_ptr<Model> make_qwen3(const ModelInput& source);
std::unique_ptr<Model> make_qwen3moe(const ModelInput& source);
std::unique_ptr<Model> make_smollm3(const ModelInput& source);

}  // namespace emelex
