#pragma once

#include <map>
#include <string>

// Small inputs, valid and flawed, for the fuzzers to start from: a name → bytes. make_seeds.cpp writes them.
namespace emelex {

using Seeds = std::map<std::string, std::string>;

Seeds gguf_seeds();
Seeds gguf_split_seeds();
Seeds safetensors_seeds();
Seeds safetensors_index_seeds();
Seeds hf_config_seeds();
Seeds safetensors_folder_seeds();
Seeds tokenizer_json_seeds();
Seeds sentencepiece_seeds();
Seeds tiktoken_seeds();
Seeds tekken_seeds();
Seeds gguf_text_seeds();
Seeds folder_text_seeds();
Seeds hub_info_seeds();
Seeds hub_headers_seeds();
Seeds manifest_seeds();

}  // namespace emelex
