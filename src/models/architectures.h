#pragma once

#include <memory>

#include "models/model.h"

// The architectures, each in the file of its name; registry.cpp finds them by general.architecture.
namespace emelex {

std::unique_ptr<Model> make_command_r(const ModelSource& source);
std::unique_ptr<Model> make_gemma2(const ModelSource& source);
std::unique_ptr<Model> make_gemma3(const ModelSource& source);
std::unique_ptr<Model> make_granite(const ModelSource& source);
std::unique_ptr<Model> make_llama(const ModelSource& source);
std::unique_ptr<Model> make_olmo2(const ModelSource& source);
std::unique_ptr<Model> make_phi2(const ModelSource& source);
std::unique_ptr<Model> make_phi3(const ModelSource& source);
std::unique_ptr<Model> make_qwen2(const ModelSource& source);
std::unique_ptr<Model> make_qwen3(const ModelSource& source);
std::unique_ptr<Model> make_smollm3(const ModelSource& source);

}  // namespace emelex
