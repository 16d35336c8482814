#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/hub_client.h"

namespace emelex {

// The files of a repository that make one model.
struct Selection {
  std::vector<RemoteFile> files;  // the one to load first; of a folder, all in the order of their names
  std::string quantization;       // "q4_k_m"; where several files are that, what tells their names apart; may be empty
  bool folder = false;            // SafeTensors: the folder is what is loaded
};

// `wanted` is a quantization ("Q4_K_M"), a part of a name between separators, a .gguf file, or empty: the only one of a
// GGUF repository, of several the first of `preferred` that it has; the SafeTensors of another. `include`, unless
// empty, is a pattern as in a shell, and takes all that fits it instead. Throws Error: not_found with what there is to
// choose, unsupported for a repository without a model.
Selection select_files(const RepoInfo& info, const std::string& wanted, const std::string& include,
                       const std::vector<std::string>& preferred = {"q4_k_m", "q4_0"});

// Throws Error(network) unless `path` is safe as a path inside a model's folder: relative, no "..", no hidden
// names, nothing that a terminal or another system would take amiss, and not our manifest.
void check_remote_path(const std::string& path, const std::string& repo);

// Where a folder of SafeTensors has chat templates beside its own.
inline constexpr const char* kTemplatesFolder = "additional_chat_templates";

// Whether a file of that name belongs to a model in SafeTensors, its weights aside: configuration, tokenizer, template.
bool is_folder_file(std::string_view name);

// "Model-Q4_K_M-00001-of-00002.gguf" → "q4_k_m", "UD-Q2_K/Model-00001-of-00002.gguf" → "ud-q2_k"; "" when a path has
// none.
std::string quantization_of_file(const std::string& path);

}  // namespace emelex
