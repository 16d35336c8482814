#include "weights/safetensors/mxfp4_blocks.h"

#include <array>
#include <vector>

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr std::string_view kBlocks = "_blocks";
constexpr std::string_view kScales = "_scales";
constexpr int64_t kBlockBytes = 16;
constexpr int64_t kBlockValues = 32;

[[noreturn]] void fail(std::string_view expected, std::string_view got, const FoundTensor& tensor) {
  throw Error(ErrorCode::corrupt_file,
              str_cat("[safetensors] expected ", expected, " for ", quote_bytes(tensor.entry.name), ", got ", got,
                      " in ", path_text(tensor.part->path)));
}

Tensor joined(const std::string& name, const FoundTensor& blocks, const FoundTensor& scales) {
  for (const FoundTensor* part : {&blocks, &scales}) {
    if (part->entry.dtype != "U8") fail("U8", quote_bytes(part->entry.dtype), *part);
  }
  std::vector<int64_t> shape = blocks.entry.shape;
  if (shape.size() < 3 || shape.back() != kBlockBytes || blocks.entry.data.empty()) {
    fail("[.., rows, groups, 16] values", shape_text(shape), blocks);
  }
  shape.pop_back();
  if (scales.entry.shape != shape) fail(shape_text(shape), shape_text(scales.entry.shape), scales);
  const auto columns = checked_mul(shape.back(), kBlockValues);
  if (!columns) fail("rows that can be counted", shape_text(shape), blocks);
  shape.back() = *columns;
  using Owners = std::array<std::shared_ptr<const void>, 2>;  // which may be different files
  const auto owners = std::make_shared<const Owners>(Owners{blocks.part->owner, scales.part->owner});
  const MlxFormat format = default_mlx_format(MlxMode::mxfp4);
  return {name,   TensorType::mlx,
          shape,  blocks.entry.data,
          owners, std::make_shared<const MlxParts>(MlxParts{format, scales.entry.data, {}})};
}

}  // namespace

std::map<std::string, Tensor> take_mxfp4_blocks(FoundTensors& found) {
  std::map<std::string, Tensor> tensors;
  for (auto at = found.begin(); at != found.end();) {
    if (!at->first.ends_with(kBlocks)) {
      ++at;
      continue;
    }
    const std::string name = at->first.substr(0, at->first.size() - kBlocks.size());
    const auto scales = found.find(name + std::string(kScales));
    if (scales == found.end()) fail("scales", "none", at->second);
    tensors.emplace(name, joined(name, at->second, scales->second));
    found.erase(scales);
    at = found.erase(at);
  }
  return tensors;
}

}  // namespace emelex
