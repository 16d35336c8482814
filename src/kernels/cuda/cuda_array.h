#pragma once

#include <mlx/array.h>

#include "kernels/cuda/device.h"

namespace emelex::cuda {

namespace mx = mlx::core;

// What stands behind an mx::array of this backend: float32 rows in a step's memory on the GPU. The array carries its
// shape and its life; its data is no memory of the host's and never to be read there. What products read, the rows as
// float16, is made by the operation that makes the rows, or at the first product.
class CudaArray {
 public:
  // `has_floats`: false where only the float16 form is made.
  CudaArray(DevicePtr device, int rows, int columns, bool has_floats = true);
  ~CudaArray();
  CudaArray(const CudaArray&) = delete;
  CudaArray& operator=(const CudaArray&) = delete;

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  bool has_floats() const { return has_floats_; }
  // float [rows, columns]. Throws Error(internal) where there are none.
  DevicePointer data() const;

  // float16 [rows, half_stride], each row divided by its scale and padded with zeros; 0 where not made yet
  DevicePointer halves() const { return halves_; }
  DevicePointer half_scales() const { return half_scales_; }  // float [rows]; 0: they are 1
  int half_stride() const { return half_stride_; }

  // Memory for the halves, to be filled by the caller.
  void take_halves(bool scaled);

 private:
  size_t bytes() const;
  size_t half_bytes() const;
  size_t scale_bytes() const;

  DevicePtr device_;
  int rows_;
  int columns_;
  int half_stride_;
  bool has_floats_;
  DevicePointer data_ = 0;
  DevicePointer halves_ = 0;
  DevicePointer half_scales_ = 0;
};

mx::array make_array(const DevicePtr& device, int rows, int columns, bool has_floats = true);

// What is behind an array that make_array made.
CudaArray& of(const mx::array& array);

}  // namespace emelex::cuda
