#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/compiler.h"
#include "kernels/cuda/driver.h"

namespace emelex::cuda {

struct Grid {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

struct Launch {
  Grid grid;
  unsigned threads = 1;       // of a block
  unsigned shared_bytes = 0;  // of a block, beside what the kernel declares
  unsigned cluster = 1;       // blocks that run together; divides grid.x
};

// A GPU that emelex's kernels run on.
struct DeviceChoice {
  DeviceNumber number;
  std::string name;
  int major;  // compute capability
  int minor;
};

// GPU number `ordinal` of those that the driver shows. Throws Error(unsupported) where there is no such GPU, or one of
// compute capability below 8.0.
DeviceChoice find_device(int ordinal);

// A GPU: its context, one stream that all work goes to in order, its kernels and its memory. Belongs to one thread, on
// which it makes its context current.
class Device {
 public:
  // Throws as find_device does.
  explicit Device(int ordinal = 0);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string& name() const { return name_; }
  const std::string& architecture() const { return architecture_; }  // "sm_90"
  StreamHandle stream() const { return stream_; }
  int processors() const { return processors_; }       // multiprocessors
  bool has_clusters() const { return has_clusters_; }  // and a compiler for what their blocks send each other

  // Compiled and loaded at the first call. Valid as long as the device.
  FunctionHandle kernel(const KernelText& text, const char* name);

  // Arguments are copied; they must have exactly the types of the kernel's parameters.
  template <class... Args>
  void launch_as(FunctionHandle kernel, const Launch& launch, Args... args) {
    void* pointers[] = {static_cast<void*>(&args)...};
    launch_with(kernel, launch, pointers);
  }
  template <class... Args>
  void launch(FunctionHandle kernel, Grid grid, unsigned threads, Args... args) {
    launch_as(kernel, Launch{grid, threads}, args...);
  }
  // Before launches with so many shared_bytes.
  void allow_shared_bytes(FunctionHandle kernel, int bytes);

  // Memory of its own, for what lives longer than a step.
  DevicePointer allocate(size_t bytes);
  void release(DevicePointer pointer, size_t bytes);

  // Memory of a step's values. What was given back may be handed out again at once, since all work is in one order; so
  // launches that are captured may be repeated in later steps.
  DevicePointer take(size_t bytes);
  void give_back(DevicePointer pointer, size_t bytes);

  void upload(DevicePointer to, const void* from, size_t bytes);
  void download(void* to, DevicePointer from, size_t bytes);  // ordered, not waited for
  void copy(DevicePointer to, DevicePointer from, size_t bytes);
  void clear(DevicePointer to, size_t bytes) { fill(to, 0, bytes); }
  void fill(DevicePointer to, unsigned char value, size_t bytes);
  void wait();  // for all work given out

  int64_t allocated_bytes() const { return allocated_; }
  int64_t free_bytes() const;  // on the GPU, of all programs

 private:
  void launch_with(FunctionHandle kernel, const Launch& launch, void** arguments);

  DeviceNumber number_ = 0;
  ContextHandle context_ = nullptr;
  StreamHandle stream_ = nullptr;
  std::string name_;
  std::string architecture_;
  int processors_ = 1;
  bool has_clusters_ = false;
  bool overlaps_ = false;  // kernels may be launched before the one before them has ended
  std::map<std::string, ModuleHandle> modules_;
  int64_t allocated_ = 0;
  std::vector<DevicePointer> chunks_;
  DevicePointer chunk_at_ = 0;
  size_t chunk_left_ = 0;
  std::map<size_t, std::vector<DevicePointer>> free_;  // of a step's memory, by size
};

using DevicePtr = std::shared_ptr<Device>;

// Memory of a device's that lives as long as this.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(DevicePtr device, size_t bytes)
      : device_(std::move(device)), pointer_(device_->allocate(bytes)), bytes_(bytes) {}
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    DeviceMemory(std::move(other)).swap(*this);
    return *this;
  }
  ~DeviceMemory() {
    if (device_ != nullptr) device_->release(pointer_, bytes_);
  }

  DevicePointer pointer() const { return pointer_; }
  size_t bytes() const { return bytes_; }

 private:
  void swap(DeviceMemory& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(pointer_, other.pointer_);
    std::swap(bytes_, other.bytes_);
  }

  DevicePtr device_;
  DevicePointer pointer_ = 0;
  size_t bytes_ = 0;
};

// Memory of the host that the GPU copies from and to without the processor's help. What it held is lost when it grows.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  void* get(size_t bytes);

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace emelex::cuda
