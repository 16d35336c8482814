#include "weights/split_gguf.h"

#include <cstdio>

namespace emelex {

std::string split_name(const std::string& name, int part, int count) {
  char ending[64];
  std::snprintf(ending, sizeof(ending), "-%05d-of-%05d.gguf", part, count);
  return name + ending;
}

GgufWriter split_part(int no, int count, int n_tensors) {
  GgufWriter part;
  part.add("split.no", static_cast<uint16_t>(no));
  part.add("split.count", static_cast<uint16_t>(count));
  part.add("split.tensors.count", int32_t{n_tensors});
  return part;
}

std::vector<std::filesystem::path> write_split(const Weights& model, const std::filesystem::path& folder,
                                               const std::string& name, int count) {
  const auto n_tensors = static_cast<int>(model.tensors().size());
  std::vector<std::filesystem::path> paths;
  auto tensor = model.tensors().begin();
  for (int no = 0; no < count; ++no) {
    GgufWriter part = split_part(no, count, n_tensors);
    if (no == 0) {
      for (const auto& [key, value] : model.metadata().values()) part.add_value(key, value);
    }
    for (int i = n_tensors * no / count; i < n_tensors * (no + 1) / count; ++i, ++tensor) {
      const Tensor& from = tensor->second;
      part.add_tensor(from.name, from.type, from.shape, std::vector(from.data.begin(), from.data.end()));
    }
    paths.push_back(folder / split_name(name, no + 1, count));
    part.write(paths.back());
  }
  return paths;
}

}  // namespace emelex
