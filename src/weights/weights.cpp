#include "weights/weights.h"

#include <system_error>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"
#include "quant/dequantize.h"
#include "weights/gguf/gguf_split.h"
#include "weights/safetensors/safetensors_reader.h"

namespace emelex {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return out + "]";
}

size_t Tensor::row_bytes() const {
  return mlx ? mlx_row_bytes(mlx->format, columns()) : emelex::row_bytes(type, columns());
}

size_t Tensor::bytes() const { return data.size() + (mlx ? mlx->scales.size() + mlx->biases.size() : 0); }

std::string Tensor::type_name() const {
  if (!mlx) return std::string(info(type).name);
  const MlxFormat& format = mlx->format;
  return format.mode == MlxMode::affine ? str_cat("MLX-", format.bits, "bit")
                                        : str_cat("MLX-", mlx_mode_name(format.mode));
}

void Tensor::read_rows(int64_t first, std::span<float> to) const {
  const auto row = static_cast<size_t>(first);
  const size_t n = to.size() / static_cast<size_t>(columns());
  const auto rows_of = [&](std::span<const std::byte> all, size_t bytes) {
    return all.subspan(row * bytes, n * bytes);
  };
  if (!mlx) return dequantize(type, rows_of(data, row_bytes()), to);
  const size_t scale_bytes = mlx_scale_row_bytes(mlx->format, columns());
  dequantize_mlx(mlx->format, rows_of(data, row_bytes()), rows_of(mlx->scales, scale_bytes),
                 rows_of(mlx->biases, mlx->biases.empty() ? 0 : scale_bytes), to);
}

Weights::Weights(std::filesystem::path path, Metadata metadata, std::map<std::string, Tensor, std::less<>> tensors,
                 std::map<std::string, std::string, std::less<>> unreadable, std::vector<std::filesystem::path> files,
                 FormatFacts facts) {
  if (files.empty()) files.push_back(path);
  content_ = std::make_shared<const Content>(Content{std::move(path), std::move(metadata), std::move(tensors),
                                                     std::move(unreadable), std::move(files), std::move(facts)});
}

std::shared_ptr<const Weights> Weights::recorded(std::shared_ptr<ReadRecord> record) const {
  Weights same = *this;
  same.record_ = std::move(record);
  return std::make_shared<const Weights>(std::move(same));
}

void Weights::note_key(std::string_view key) const {
  if (record_) record_->keys.emplace(key);
}

const Tensor* Weights::find(std::string_view name) const {
  if (record_) record_->tensors.emplace(name);
  const auto at = tensors().find(name);
  if (at != tensors().end()) return &at->second;
  const auto found = unreadable().find(name);
  if (found == unreadable().end()) return nullptr;
  throw Error(ErrorCode::unsupported,
              str_cat("[weights] expected tensor ", quote_bytes(name), " in a type that emelex has, got ",
                      found->second, " in ", path_text(path())));
}

const Tensor& Weights::require(std::string_view name, const std::vector<int64_t>& shape) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr || tensor->shape != shape) {
    const std::string got = tensor == nullptr ? "no such tensor" : shape_text(tensor->shape);
    throw Error(ErrorCode::corrupt_file, str_cat("[weights] expected tensor ", quote_bytes(name), " of shape ",
                                                 shape_text(shape), ", got ", got, " in ", path_text(path())));
  }
  return *tensor;
}

std::shared_ptr<const Weights> open_weights(const std::filesystem::path& path) {
  std::error_code ignored;  // what is wrong with the path is said when it is opened
  if (std::filesystem::is_directory(path, ignored)) return open_safetensors_folder(path);
  if (path.extension() == ".safetensors") return open_safetensors_file(path);
  return open_gguf(path);
}

}  // namespace emelex
