#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Which files of a folder are a model's, and what a folder is that holds none.
namespace emelex {

// "model-00002-of-00005", without the extension
bool is_one_of_several(const std::string& name);

// The names of the files that a model in several is in where no index tells: model*.safetensors, else the
// weights*.safetensors of early MLX folders.
std::set<std::string> shards_in(const std::filesystem::path& folder);

// Throws Error(unsupported) that says what the folder is where it holds an adapter, or a model that makes no text.
void check_is_text_model(const std::filesystem::path& folder);

// What holds files of these names, and what to do: "a LoRA adapter without its model (merge it into that)". Nothing
// where they tell nothing.
std::optional<std::string_view> kind_of_files(const std::vector<std::string>& names);

// Each throws Error that says what the folder seems to be, and what to do.
[[noreturn]] void refuse_folder_without_config(const std::filesystem::path& folder);
[[noreturn]] void refuse_folder_without_weights(const std::filesystem::path& folder);

// Throws Error(unsupported) for a .safetensors file whose name says that it is an adapter, or another program's.
void refuse_file_of_another_kind(const std::filesystem::path& path);

}  // namespace emelex
