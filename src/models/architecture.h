#pragma once

#include <memory>
#include <string_view>

#include "base/name_table.h"
#include "models/model.h"
#include "weights/rope_pairs.h"

namespace emelex {

// What GGUF's general.architecture names, described and registered by the file of its family.
struct Architecture {
  std::string_view name;
  RopePairs rope_pairs;  // in GGUF files, which do not say it
  std::unique_ptr<Model> (*make)(const ModelInput& source);
};

// All that a program has: those of every file in this folder.
const NameTable<Architecture>& architectures();

// A static object of this adds one to them.
struct RegisterArchitecture {
  explicit RegisterArchitecture(const Architecture& architecture);
};

// The one that the file's general.architecture names. Throws as check_architecture does.
const Architecture& find_architecture(const Metadata& metadata);

// How RoPE's pairs lie in the file: as a folder's metadata says, else as its architecture has it. Throws as
// check_architecture does.
RopePairs rope_pairs(const Metadata& metadata);

}  // namespace emelex
