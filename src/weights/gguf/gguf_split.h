#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "weights/gguf/gguf_reader.h"
#include "weights/weights.h"

// Models in several GGUF files: NAME-00001-of-00003.gguf and so on, as gguf-split and the gguf package write them.
// https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split
//
// Each part is a GGUF file with tensors of its own and the keys split.no (from 0), split.count and split.tensors.count
// (of all parts together); the model's metadata is in the first. No key names a file: the parts are found by the name
// of the one that was asked for, so nothing in a file leads out of its folder.
namespace emelex {

// The model that the .gguf file `path` is, or is a part of. All parts are mapped. Throws Error, naming the part:
// not_found when one is missing, corrupt_file when they contradict each other, and what map_gguf and read_gguf throw.
std::shared_ptr<const Weights> open_gguf(const std::filesystem::path& path);

// A part that was read.
struct GgufPart {
  std::filesystem::path path;
  GgufContent content;
};

// One model of all its parts in their order; for open_gguf and for tests. Its metadata is the first part's without the
// split.* keys, which tell how the files lie and not what the model is. Throws Error(corrupt_file).
std::shared_ptr<const Weights> join_gguf_parts(std::vector<GgufPart> parts);

}  // namespace emelex
