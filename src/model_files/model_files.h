#pragma once

#include <filesystem>
#include <memory>

#include "emelex/sampling.h"
#include "text/chat/chat_template_source.h"
#include "text/files/tokenizer_source.h"
#include "weights/weights.h"

namespace emelex {

// All that a model's files hold, opened and checked, whatever the format. Only emelex's readers fill it: what a file
// says arrives in the field that is meant for it, or under GGUF's keys.
struct ModelFiles {
  std::shared_ptr<const Weights> weights;
  TokenizerSource tokenizer;
  ChatTemplateSource templates;
  SamplingDefaults sampling;
};

// Opens a model by path: a .gguf file, a folder with config.json and .safetensors files, or one of those. A tokenizer
// or template that emelex can't read is no error here: TokenizerSource::problem and NamedTemplate::error have it.
// Throws Error as open_weights does.
ModelFiles open_model(const std::filesystem::path& path);

// The same for a folder whose weights are open already. `n_rows`: of the embedding; 0: not known.
ModelFiles with_folder_files(std::shared_ptr<const Weights> weights, const std::filesystem::path& folder,
                             int64_t n_rows);

// All metadata under GGUF's keys, as a GGUF file of this model has it. A GGUF file's own is not copied.
std::shared_ptr<const Metadata> gguf_metadata(const ModelFiles& files);

}  // namespace emelex
