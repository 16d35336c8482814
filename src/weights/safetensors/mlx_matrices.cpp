#include "weights/safetensors/mlx_matrices.h"

#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kScales = ".scales";
constexpr std::string_view kBiases = ".biases";
constexpr std::string_view kPacked = "U32";  // the type of the weight's words

[[noreturn]] void fail(std::string_view expected, std::string_view got, const fs::path& file) {
  throw Error(ErrorCode::corrupt_file,
              str_cat("[safetensors] expected ", expected, ", got ", got, " in ", path_text(file)));
}

std::string format_text(const MlxFormat& format) {
  return str_cat(format.bits, " bits in groups of ", format.group_size);
}

// One module's tensors, of which any may be missing.
class Module {
 public:
  Module(FoundTensors& found, std::string name) : found_(&found), name_(std::move(name)) {
    weight_ = find(kWeight);
    scales_ = find(kScales);
    biases_ = find(kBiases);
  }

  bool has_weight() const { return weight_ != nullptr; }
  bool is_packed() const { return weight_->entry.dtype == kPacked; }
  bool has_scales() const { return scales_ != nullptr; }
  std::string part_name(std::string_view suffix) const { return name_ + std::string(suffix); }
  std::string weight_name() const { return part_name(kWeight); }
  const fs::path& path() const { return weight_->part->path; }

  // What the shapes say of a matrix of `columns`; nothing where they say nothing that MLX has.
  std::optional<MlxFormat> inferred(int64_t columns) const;
  // The three as one, which `format` describes but for the scales' type.
  Tensor tensor(MlxFormat format) const;
  void take_out() const;

 private:
  const FoundTensor* find(std::string_view suffix) const {
    const auto at = found_->find(part_name(suffix));
    return at == found_->end() ? nullptr : &at->second;
  }
  void check_which_are_there(const MlxFormat& format) const;
  TensorType scale_type(const MlxFormat& format) const;
  int64_t columns(const MlxFormat& format) const;
  void check_shape(const FoundTensor& part, const MlxFormat& format, int64_t columns) const;

  FoundTensors* found_;
  std::string name_;
  const FoundTensor* weight_;
  const FoundTensor* scales_;
  const FoundTensor* biases_;
};

void Module::check_which_are_there(const MlxFormat& format) const {
  const std::string name = quote_bytes(weight_name());
  // A second scale over those of the groups, which mlx-lm may give to the experts of a mixture.
  if (const FoundTensor* global = find(".global_scale")) {
    throw Error(ErrorCode::unsupported, str_cat("[safetensors] expected no scale over a whole matrix, got ",
                                                quote_bytes(global->entry.name), " in ", path_text(path())));
  }
  if (scales_ == nullptr)
    fail(str_cat(quote_bytes(part_name(kScales)), " beside the quantized ", name), "none", path());
  const bool affine = format.mode == MlxMode::affine;
  if (affine && biases_ == nullptr) {
    fail(str_cat(quote_bytes(part_name(kBiases)), " beside the quantized ", name), "none", path());
  }
  if (!affine && biases_ != nullptr) {
    fail(str_cat("no biases for ", name, " in mode ", mlx_mode_name(format.mode)), quote_bytes(biases_->entry.name),
         biases_->part->path);
  }
  if (!is_packed()) fail(str_cat("words of ", kPacked, " for ", name), quote_bytes(weight_->entry.dtype), path());
}

TensorType Module::scale_type(const MlxFormat& format) const {
  const SafeTensorsEntry& scales = scales_->entry;
  if (biases_ != nullptr && biases_->entry.dtype != scales.dtype) {
    fail(str_cat(quote_bytes(biases_->entry.name), " in ", scales.dtype, " as the scales are"),
         quote_bytes(biases_->entry.dtype), biases_->part->path);
  }
  if (format.mode != MlxMode::affine) {
    if (scales.dtype == "U8") return format.scale_type;
    fail(str_cat("U8 for ", quote_bytes(scales.name), " in mode ", mlx_mode_name(format.mode)),
         quote_bytes(scales.dtype), scales_->part->path);
  }
  const std::optional<TensorType> type = tensor_type_of_dtype(scales.dtype);
  if (!type) {
    fail(str_cat("F32, F16 or BF16 for ", quote_bytes(scales.name)), quote_bytes(scales.dtype), scales_->part->path);
  }
  return *type;
}

std::optional<MlxFormat> Module::inferred(int64_t columns) const {
  if (!is_packed() || scales_ == nullptr || columns < 1) return std::nullopt;
  if (weight_->entry.shape.empty() || scales_->entry.shape.empty() || scales_->entry.shape.back() < 1)
    return std::nullopt;
  const std::optional<int64_t> bits = checked_mul<int64_t>(weight_->entry.shape.back(), 32);
  const int64_t groups = scales_->entry.shape.back();
  if (!bits || *bits % columns != 0 || columns % groups != 0 || *bits / columns > 8 || columns / groups > 128) {
    return std::nullopt;
  }
  MlxFormat format = default_mlx_format(MlxMode::affine);
  format.bits = static_cast<int>(*bits / columns);
  format.group_size = static_cast<int>(columns / groups);
  if (scales_->entry.dtype == "U8") {
    format.mode = format.group_size == 16 ? MlxMode::nvfp4 : format.bits == 4 ? MlxMode::mxfp4 : MlxMode::mxfp8;
    format.scale_type = default_mlx_format(format.mode).scale_type;
  }
  return is_mlx_format(format) ? std::optional(format) : std::nullopt;
}

// Numbers in a row of the weight.
int64_t Module::columns(const MlxFormat& format) const {
  const std::vector<int64_t>& shape = weight_->entry.shape;
  if (shape.size() < 2 || weight_->entry.data.empty()) {
    fail(str_cat("a matrix for the quantized ", quote_bytes(weight_name())), shape_text(shape), path());
  }
  const std::optional<int64_t> bits = checked_mul<int64_t>(shape.back(), 32);
  const int64_t columns = bits ? *bits / format.bits : 0;
  if (!bits || *bits % format.bits != 0 || columns % format.group_size != 0) {
    fail(str_cat("rows that are whole groups (", format_text(format), ") for ", quote_bytes(weight_name())),
         str_cat("rows of ", shape.back(), " words"), path());
  }
  return columns;
}

void Module::check_shape(const FoundTensor& part, const MlxFormat& format, int64_t columns) const {
  std::vector<int64_t> expected = weight_->entry.shape;
  expected.back() = columns / format.group_size;
  if (part.entry.shape == expected) return;
  fail(str_cat(quote_bytes(part.entry.name), " of shape ", shape_text(expected), " (for a weight of shape ",
               shape_text(weight_->entry.shape), " with ", format_text(format), ")"),
       shape_text(part.entry.shape), part.part->path);
}

Tensor Module::tensor(MlxFormat format) const {
  check_which_are_there(format);
  format.scale_type = scale_type(format);
  const int64_t n = columns(format);
  check_shape(*scales_, format, n);
  if (biases_ != nullptr) check_shape(*biases_, format, n);
  std::vector<int64_t> shape = weight_->entry.shape;
  shape.back() = n;
  std::span<const std::byte> biases;
  if (biases_ != nullptr) biases = biases_->entry.data;
  // They may lie in different files, all of which must stay mapped.
  using Owners = std::array<std::shared_ptr<const void>, 3>;
  const auto owners = std::make_shared<const Owners>(
      Owners{weight_->part->owner, scales_->part->owner, biases_ != nullptr ? biases_->part->owner : nullptr});
  return {weight_name(),    TensorType::mlx,
          std::move(shape), weight_->entry.data,
          owners,           std::make_shared<const MlxParts>(MlxParts{format, scales_->entry.data, biases})};
}

void Module::take_out() const {
  for (const std::string_view suffix : {kWeight, kScales, kBiases}) {
    found_->erase(part_name(suffix));
  }
}

// Modules that the files or `quantization` take for quantized: their names.
std::set<std::string> candidates(const FoundTensors& found, const HfQuantization& quantization) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : found) {
    const std::string_view view = name;
    if (view.ends_with(kWeight) && tensor.entry.dtype == kPacked)
      names.emplace(view.substr(0, view.size() - kWeight.size()));
    if (view.ends_with(kScales)) names.emplace(view.substr(0, view.size() - kScales.size()));
  }
  for (const auto& [name, format] : quantization.modules) names.insert(name);
  return names;
}

}  // namespace

std::map<std::string, Tensor> take_mlx_matrices(
    FoundTensors& found, const HfQuantization& quantization, const fs::path& config,
    const std::function<std::optional<int64_t>(const std::string&)>& columns_of) {
  std::map<std::string, Tensor> tensors;
  for (const std::string& name : candidates(found, quantization)) {
    const Module module(found, name);
    if (!module.has_weight()) continue;  // not a module: a model that needs the weight will say so
    const std::string quoted = quote_bytes(module.weight_name());
    if (!quantization.format) {
      if (!module.is_packed() || !module.has_scales()) continue;
      fail(str_cat("'quantization', which says how ", quoted, " is packed"), "none", config);
    }
    const auto own = quantization.modules.find(name);
    std::optional<MlxFormat> format = own == quantization.modules.end() ? quantization.format : own->second;
    if (own == quantization.modules.end()) {
      const auto by_shape = module.inferred(columns_of(module.weight_name()).value_or(0));
      if (by_shape) format = by_shape;
    }
    if (!format) {
      if (!module.is_packed() && !module.has_scales()) continue;
      fail(str_cat(quoted, " to be plain, as ", config.filename().string(), " has it"), "a quantized one",
           module.path());
    }
    tensors.emplace(module.weight_name(), module.tensor(*format));
    module.take_out();
  }
  return tensors;
}

}  // namespace emelex
