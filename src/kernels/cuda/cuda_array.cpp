#include "kernels/cuda/cuda_array.h"

#include "emelex/error.h"
#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {
namespace {

size_t values(int rows, int columns) { return static_cast<size_t>(rows) * static_cast<size_t>(columns); }

}  // namespace

CudaArray::CudaArray(DevicePtr device, int rows, int columns, bool has_floats)
    : device_(std::move(device)),
      rows_(rows),
      columns_(columns),
      half_stride_((columns + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS),
      has_floats_(has_floats),
      data_(has_floats ? device_->take(bytes()) : 0) {}

DevicePointer CudaArray::data() const {
  if (!has_floats_) throw Error(ErrorCode::internal, "[cuda] expected rows of float32, got rows of float16 alone");
  return data_;
}

CudaArray::~CudaArray() {
  if (has_floats_) device_->give_back(data_, bytes());
  if (halves_ != 0) device_->give_back(halves_, half_bytes());
  if (half_scales_ != 0) device_->give_back(half_scales_, scale_bytes());
}

size_t CudaArray::bytes() const { return values(rows_, columns_) * sizeof(float); }
size_t CudaArray::half_bytes() const { return values(rows_, half_stride_) * 2; }
size_t CudaArray::scale_bytes() const { return values(rows_, 1) * sizeof(float); }

void CudaArray::take_halves(bool scaled) {
  halves_ = device_->take(half_bytes());
  if (scaled) half_scales_ = device_->take(scale_bytes());
}

mx::array make_array(const DevicePtr& device, int rows, int columns, bool has_floats) {
  auto made = std::make_unique<CudaArray>(device, rows, columns, has_floats);
  mx::allocator::Data data(mx::allocator::Buffer(made.release()),
                           [](mx::allocator::Buffer buffer) { delete static_cast<CudaArray*>(buffer.ptr()); });
  return mx::array(std::move(data), mx::Shape{rows, columns}, mx::float32);
}

CudaArray& of(const mx::array& array) {
  return *static_cast<CudaArray*>(const_cast<void*>(array.data_shared_ptr()->buffer().ptr()));
}

}  // namespace emelex::cuda
