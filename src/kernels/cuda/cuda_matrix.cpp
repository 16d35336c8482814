#include "kernels/cuda/cuda_matrix.h"

#include <algorithm>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/cuda/cuda_activation.h"
#include "kernels/matrix_size.h"

namespace emelex::cuda {
namespace {

// Up to so many tokens the packed weights are multiplied as they are; more by cuBLAS, unpacked to float16 before.
constexpr int kMostPackedTokens = 64;
constexpr int kFewRowTiles = 400;
constexpr int kBlocksPerProcessor = 4;  // that run at once
// Up to so many tokens one multiplication of all matrices and a launch that gives each its part are quicker than a
// multiplication each.
constexpr int kMostTokensAtOnce = 256;

int tiles_of(int n, int size) { return (n + size - 1) / size; }

template <class T = float>
T* address(DevicePointer pointer) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(pointer));  // NOLINT(performance-no-int-to-ptr)
}

// Rows of a tensor on their way to the GPU.
constexpr int64_t kFloatsAtOnce = int64_t{1} << 24;

}  // namespace

size_t PackedFormat::tile_bytes() const {
  const int values = TILE_ROWS * TILE_COLUMNS;
  const int scales = group == 0 ? 0 : values / group * (minimum ? 2 : 1);
  return static_cast<size_t>(values * bits / 8 + scales * 2);
}

std::vector<std::string> PackedFormat::defines() const {
  return {str_cat("BITS=", bits), str_cat("GROUP=", group), str_cat("MINIMUM=", minimum ? 1 : 0)};
}

PackedFormat packed_format(const Tensor& tensor) {
  switch (tensor.type) {
    case TensorType::q4_0:
      return {4, 32, false, PACK_Q4_0};
    case TensorType::q4_1:
      return {4, 32, true, PACK_Q4_1};
    case TensorType::q5_0:
      return {8, 32, false, PACK_Q5_0};
    case TensorType::q5_1:
      return {8, 32, true, PACK_Q5_1};
    case TensorType::q8_0:
      return {8, 32, false, PACK_Q8_0};
    case TensorType::q2_k:
      return {4, 16, true, PACK_Q2_K};
    case TensorType::q3_k:
      return {4, 16, false, PACK_Q3_K};
    case TensorType::q4_k:
      return {4, 32, true, PACK_Q4_K};
    case TensorType::q5_k:
      return {8, 32, true, PACK_Q5_K};
    case TensorType::q6_k:
      return {8, 16, false, PACK_Q6_K};
    case TensorType::f16:
      return {16, 0, false, PACK_F16};
    case TensorType::bf16:
      return {16, 0, false, PACK_BF16};
    default:
      return {16, 0, false, PACK_F32};
  }
}

int64_t packed_bytes(const Tensor& tensor) {
  const int64_t tiles =
      ((tensor.rows() + TILE_ROWS - 1) / TILE_ROWS) * ((tensor.columns() + TILE_COLUMNS - 1) / TILE_COLUMNS);
  return tiles * static_cast<int64_t>(packed_format(tensor).tile_bytes());
}

int64_t unpacked_bytes(const Tensor& tensor) {
  const int64_t rows = (tensor.rows() + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
  return rows * ((tensor.columns() + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS) * 2;
}

CudaMatrix::CudaMatrix(CudaContextPtr context, const std::vector<const Tensor*>& tensors)
    : context_(std::move(context)),
      format_(packed_format(*tensors.front())),
      columns_(matrix_size(*tensors.front()).columns),
      column_tiles_(tiles_of(columns_, TILE_COLUMNS)) {
  for (const Tensor* tensor : tensors) {
    const int rows = matrix_size(*tensor).rows;
    parts_.push_back({row_tiles_, rows});
    row_tiles_ += tiles_of(rows, TILE_ROWS);
  }
  Device& device = *context_->device;
  tiles_ = DeviceMemory(context_->device,
                        static_cast<size_t>(row_tiles_) * static_cast<size_t>(column_tiles_) * format_.tile_bytes());
  finish_ = device.kernel({"elementwise", {}}, "finish_product");
  split_ = device.kernel({"elementwise", {}}, "split_products");
  const DeviceMemory overflow(context_->device, sizeof(int));
  device.clear(overflow.pointer(), sizeof(int));
  DeviceMemory source;
  for (size_t i = 0; i < tensors.size(); ++i) pack(*tensors[i], parts_[i], source, overflow.pointer());
  int overflowed = 0;
  device.download(&overflowed, overflow.pointer(), sizeof(int));
  device.wait();
  if (overflowed != 0) {
    throw Error(ErrorCode::unsupported,
                str_cat("[cuda] expected weights within float16's range, got larger ones in ", tensors.front()->name));
  }
}

// In parts, so that no more of the file's form is on the GPU than kFloatsAtOnce weights.
void CudaMatrix::pack(const Tensor& tensor, const Part& part, DeviceMemory& source, DevicePointer overflow) const {
  Device& device = *context_->device;
  const FunctionHandle kernel = device.kernel({"pack", format_.defines()}, "pack");
  const bool plain = format_.source == PACK_F32;
  const size_t row_bytes = plain ? static_cast<size_t>(columns_) * sizeof(float) : tensor.row_bytes();
  const int step = static_cast<int>(std::max<int64_t>(1, kFloatsAtOnce / columns_ / TILE_ROWS)) * TILE_ROWS;
  std::vector<float> floats;
  for (int row = 0; row < part.rows; row += step) {
    const int rows = std::min(step, part.rows - row);
    const size_t bytes = static_cast<size_t>(rows) * row_bytes;
    if (source.bytes() < bytes) source = DeviceMemory(context_->device, bytes);
    const void* from = tensor.data.data() + static_cast<size_t>(row) * row_bytes;
    if (plain) {
      floats.resize(bytes / sizeof(float));
      tensor.read_rows(row, floats);
      from = floats.data();
    }
    device.upload(source.pointer(), from, bytes);
    const PackArgs args{address<unsigned char>(source.pointer()),
                        static_cast<long long>(row_bytes),
                        format_.source,
                        rows,
                        columns_,
                        part.first_tile + row / TILE_ROWS,
                        column_tiles_,
                        address<unsigned char>(tiles_.pointer()),
                        address<int>(overflow)};
    device.launch(kernel, {groups_of(int64_t{tiles_of(rows, TILE_ROWS)} * column_tiles_, 8)}, 256, args);
    device.wait();  // before the source is written again
  }
}

// With few rows, more warps share each.
int CudaMatrix::warps(int place) const { return place == 0 && format_.bits < 16 && row_tiles_ < kFewRowTiles ? 16 : 8; }

// Tokens are columns of eight; with more than eight two row tiles share what is loaded of them.
FunctionHandle CudaMatrix::product(int tokens) const {
  int place = 0;
  while (place < 3 && tokens > (8 << place)) ++place;
  if (products_[place] == nullptr) {
    KernelText text{"product", format_.defines()};
    text.defines.push_back(str_cat("NT=", 1 << place));
    text.defines.push_back(str_cat("RT=", place == 0 ? 1 : 2));
    text.defines.push_back(str_cat("WARPS=", warps(place)));
    products_[place] = context_->device->kernel(text, "product");
  }
  return products_[place];
}

void CudaMatrix::multiply_few(CudaArray& x, const ProductArgs& args) const {
  const int tokens = std::min(x.rows(), kMostPackedTokens);
  const FunctionHandle kernel = product(tokens);
  int place = 0;
  while (tokens > (8 << place)) ++place;
  const unsigned row_groups = groups_of(row_tiles_, place == 0 ? 1 : 2);
  const unsigned blocks =
      std::min(row_groups, static_cast<unsigned>(kBlocksPerProcessor * context_->device->processors()));
  context_->device->launch(kernel, {blocks, groups_of(x.rows(), 8 << place)}, static_cast<unsigned>(32 * warps(place)),
                           args);
}

void CudaMatrix::unpack(DevicePointer to) const {
  Device& device = *context_->device;
  if (unpack_ == nullptr) {
    KernelText text{"product", format_.defines()};
    text.defines.insert(text.defines.end(), {"NT=1", "RT=1", "WARPS=8"});
    unpack_ = device.kernel(text, "unpack");
  }
  device.launch(unpack_, {groups_of(int64_t{row_tiles_} * column_tiles_, 8)}, 256, tiles_.pointer(), row_tiles_,
                column_tiles_, to);
}

template <class Use>
void CudaMatrix::with_unpacked(const Use& use) const {
  Device& device = *context_->device;
  const auto bytes = static_cast<size_t>(row_tiles_) * TILE_ROWS * static_cast<size_t>(unpacked_stride()) * 2;
  int64_t& spare = context_->spare_bytes;
  if (unpacked_.bytes() == 0 && spare >= static_cast<int64_t>(bytes)) {
    try {
      unpacked_ = DeviceMemory(context_->device, bytes);
      spare -= static_cast<int64_t>(bytes);
      unpack(unpacked_.pointer());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::out_of_memory) throw;
      spare = 0;  // another program has taken it
    }
  }
  if (unpacked_.bytes() > 0) return use(unpacked_.pointer());
  const DevicePointer taken = device.take(bytes);
  unpack(taken);
  use(taken);
  device.give_back(taken, bytes);
}

bool CudaMatrix::has_gemm(int tokens) const { return tokens > kMostPackedTokens && context_->gemm.available(); }

mx::array CudaMatrix::multiply_all(CudaArray& x) const {
  require_halves(*context_, x);
  const int rows = row_tiles_ * TILE_ROWS;
  const auto result = make_array(context_->device, x.rows(), rows);
  with_unpacked([&](DevicePointer weights) {
    context_->gemm.multiply(weights, x.halves(), of(result).data(), x.rows(), rows, unpacked_stride());
  });
  return result;
}

void CudaMatrix::multiply_many(CudaArray& x, const ProductArgs& args) const {
  Device& device = *context_->device;
  if (args.parts.count > 1 && x.rows() <= kMostTokensAtOnce) {
    const auto products = multiply_all(x);
    device.launch(split_, {groups_of(int64_t{row_tiles_} * TILE_ROWS / 4, 256), static_cast<unsigned>(x.rows())}, 256,
                  args, of(products).data());
    return;
  }
  with_unpacked([&](DevicePointer weights) {
    for (int i = 0; i < args.parts.count; ++i) {
      const int rows = args.parts.rows[i];
      const auto out = static_cast<DevicePointer>(reinterpret_cast<uintptr_t>(args.parts.out[i]));
      const size_t first =
          static_cast<size_t>(first_row(static_cast<size_t>(i))) * static_cast<size_t>(unpacked_stride()) * 2;
      context_->gemm.multiply(weights + first, x.halves(), out, x.rows(), rows, unpacked_stride());
      const float* bias = args.parts.bias[i];
      const float* residual = i == 0 ? args.residual : nullptr;
      if (args.x_scale == nullptr && bias == nullptr && residual == nullptr) continue;
      device.launch(finish_, {groups_of(rows, 1024), static_cast<unsigned>(x.rows())}, 256, args.parts.out[i],
                    args.x_scale, bias, residual, rows);
    }
  });
}

void CudaMatrix::multiply(CudaArray& x, const std::vector<DevicePointer>& outs,
                          const std::vector<DevicePointer>& biases, DevicePointer residual) const {
  require_halves(*context_, x);
  ProductArgs args{};
  args.tiles = address<unsigned char>(tiles_.pointer());
  args.x = address<unsigned short>(x.halves());
  args.x_scale = address(x.half_scales());
  args.residual = address(residual);
  args.tokens = x.rows();
  args.row_tiles = row_tiles_;
  args.column_tiles = column_tiles_;
  args.parts = parts(outs, biases);
  if (has_gemm(x.rows())) {
    multiply_many(x, args);
  } else {
    multiply_few(x, args);
  }
}

// Where there are fewer outs than parts, the last are of parts that are gated.
ProductParts CudaMatrix::parts(const std::vector<DevicePointer>& outs, const std::vector<DevicePointer>& biases) const {
  ProductParts parts{};
  parts.count = static_cast<int>(parts_.size());
  for (size_t i = 0; i < parts_.size(); ++i) {
    parts.first_tile[i] = parts_[i].first_tile;
    parts.rows[i] = parts_[i].rows;
    parts.out[i] = i < outs.size() ? address(outs[i]) : nullptr;
    parts.bias[i] = address(biases[i]);
  }
  return parts;
}

FusedShape CudaMatrix::fused_shape(bool gated, bool normed) const {
  return {columns_, gated ? parts_[1].first_tile : row_tiles_, gated, normed};
}

bool CudaMatrix::has_fused(int tokens, bool gated) const {
  if (gated && (parts_.size() != 2 || parts_[0].rows != parts_[1].rows)) return false;
  const FusedShape shape = fused_shape(gated, false);
  if (tokens == 1 && single_launch(format_, shape)) return true;
  return few_launch(format_, shape, tokens, *context_->device).has_value();
}

const FusedProduct& CudaMatrix::fused(int tokens, bool gated, bool normed) const {
  Device& device = *context_->device;
  const FusedShape shape = fused_shape(gated, normed);
  const int place = tokens == 1 ? 0 : tokens <= 8 ? 1 : tokens <= 16 ? 2 : 3;
  auto& known = fused_[gated ? 1 : 0][normed ? 1 : 0][place];
  if (known != nullptr) return *known;
  const auto single = single_launch(format_, shape);
  if (tokens == 1 && single) {
    known = std::make_unique<FusedProduct>(device, format_, shape, *single);
  } else {
    known = std::make_unique<FusedProduct>(device, format_, shape, *few_launch(format_, shape, tokens, device));
  }
  return *known;
}

void CudaMatrix::multiply_fused(const CudaArray& x, const Surroundings& around, const std::vector<DevicePointer>& outs,
                                const std::vector<DevicePointer>& biases) const {
  const bool gated = around.gate.has_value();
  const bool normed = around.norm != 0;
  FusedArgs args{};
  args.tiles = address<unsigned char>(tiles_.pointer());
  args.x = address(x.data());
  args.norm = address(around.norm);
  args.residual = address(around.residual);
  args.eps = around.eps;
  args.tokens = x.rows();
  args.row_tiles = fused_shape(gated, normed).row_tiles;
  args.gate = gated ? *around.gate : GATE_SILU;
  args.parts = parts(outs, biases);
  fused(x.rows(), gated, normed).launch(*context_->device, args);
}

void CudaMatrix::embed(DevicePointer step, const CudaArray& out) const {
  if (embed_ == nullptr) {
    KernelText text{"product", format_.defines()};
    text.defines.insert(text.defines.end(), {"NT=1", "RT=1", "WARPS=8"});
    embed_ = context_->device->kernel(text, "embed");
  }
  context_->device->launch(embed_, {groups_of(columns_, 256), static_cast<unsigned>(out.rows())}, 256, step,
                           tiles_.pointer(), column_tiles_, columns_, out.data());
}

void require_halves(CudaContext& context, CudaArray& x) {
  if (x.halves() == 0) activate_rows(*context.device, kHalvesAlone, {x.data(), 0, x.columns()}, x);
}

}  // namespace emelex::cuda
