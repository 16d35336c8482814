// Writes the seeds anew, as FOLDER/<fuzzer>/<name>: make_seeds tests/fuzz/seeds
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "fuzz/seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  const std::map<std::string, emelex::Seeds> all = {
      {"gguf", emelex::gguf_seeds()},
      {"gguf_split", emelex::gguf_split_seeds()},
      {"safetensors", emelex::safetensors_seeds()},
      {"safetensors_index", emelex::safetensors_index_seeds()},
      {"hf_config", emelex::hf_config_seeds()},
      {"safetensors_folder", emelex::safetensors_folder_seeds()},
      {"tokenizer_json", emelex::tokenizer_json_seeds()},
      {"sentencepiece", emelex::sentencepiece_seeds()},
      {"tiktoken", emelex::tiktoken_seeds()},
      {"tekken", emelex::tekken_seeds()},
      {"gguf_text", emelex::gguf_text_seeds()},
      {"folder_text", emelex::folder_text_seeds()},
      {"hub_info", emelex::hub_info_seeds()},
      {"hub_headers", emelex::hub_headers_seeds()},
      {"manifest", emelex::manifest_seeds()},
  };
  for (const auto& [fuzzer, seeds] : all) {
    const std::filesystem::path folder = std::filesystem::path(argv[1]) / fuzzer;
    std::filesystem::create_directories(folder);
    for (const auto& [name, bytes] : seeds) std::ofstream(folder / name, std::ios::binary) << bytes;
  }
  return 0;
}
