#include "kernels/cuda/device.h"

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex::cuda {
namespace {

constexpr int kOldestCapability = 8;  // mma.m16n8k16
constexpr size_t kChunkBytes = size_t{32} << 20;

// Sizes of a step's memory: few, so that what is given back fits the next.
size_t rounded(size_t bytes) {
  size_t unit = 256;
  while (unit * 8 < bytes) unit *= 2;
  return (bytes + unit - 1) / unit * unit;
}

int attribute(int which, DeviceNumber number) {
  int value = 0;
  check(driver().cuDeviceGetAttribute(&value, which, number), "an attribute of the GPU");
  return value;
}

}  // namespace

DeviceChoice find_device(int ordinal) {
  int count = 0;
  check(driver().cuDeviceGetCount(&count), "the number of GPUs");
  if (ordinal < 0 || ordinal >= count) {
    throw Error(ErrorCode::unsupported, str_cat("[cuda] expected a GPU of number ", ordinal, ", got ", count,
                                                " GPUs (CUDA_VISIBLE_DEVICES hides others)"));
  }
  DeviceChoice choice{};
  check(driver().cuDeviceGet(&choice.number, ordinal), "a GPU");
  char text[128] = {};
  check(driver().cuDeviceGetName(text, sizeof(text) - 1, choice.number), "the GPU's name");
  choice.name = text;
  choice.major = attribute(kCapabilityMajor, choice.number);
  choice.minor = attribute(kCapabilityMinor, choice.number);
  if (choice.major < kOldestCapability) {
    throw Error(ErrorCode::unsupported,
                str_cat("[cuda] expected a GPU of compute capability 8.0 or later, got ", choice.name, " with ",
                        choice.major, ".", choice.minor, "; use --device cpu"));
  }
  return choice;
}

Device::Device(int ordinal) {
  const DeviceChoice choice = find_device(ordinal);
  number_ = choice.number;
  name_ = choice.name;
  const int major = choice.major;
  const int minor = choice.minor;
  architecture_ = str_cat("sm_", major, minor);
  overlaps_ = major >= 9;
  has_clusters_ = major >= 9 && compiler_is_at_least(12, 1);  // st.async
  processors_ = attribute(kMultiprocessorCount, number_);
  check(driver().cuDevicePrimaryCtxRetain(&context_, number_), "a context on the GPU");
  const Result current = driver().cuCtxSetCurrent(context_);
  const Result made = current == 0 ? driver().cuStreamCreate(&stream_, 1) : current;  // not ordered with others'
  if (made == 0) return;
  driver().cuDevicePrimaryCtxRelease_v2(number_);
  check(made, "a stream on the GPU");
}

Device::~Device() {
  const Driver& d = driver();
  d.cuStreamSynchronize(stream_);
  for (const auto& [text, module] : modules_) d.cuModuleUnload(module);
  for (const DevicePointer chunk : chunks_) d.cuMemFree_v2(chunk);
  d.cuStreamDestroy_v2(stream_);
  d.cuDevicePrimaryCtxRelease_v2(number_);
}

FunctionHandle Device::kernel(const KernelText& text, const char* name) {
  std::string key = text.file;
  for (const std::string& define : text.defines) key += " " + define;
  ModuleHandle& module = modules_[key];
  if (module == nullptr) {
    const std::string cubin = compile_cached(text, architecture_);
    check(driver().cuModuleLoadData(&module, cubin.data()), "compiled kernels that the driver loads");
  }
  FunctionHandle function = nullptr;
  check(driver().cuModuleGetFunction(&function, module, name), "a kernel");
  return function;
}

void Device::allow_shared_bytes(FunctionHandle kernel, int bytes) {
  check(driver().cuFuncSetAttribute(kernel, kMostDynamicSharedBytes, bytes), "shared memory for a kernel");
}

void Device::launch_with(FunctionHandle kernel, const Launch& launch, void** arguments) {
  LaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (overlaps_) {
    attributes[count].id = kProgrammaticStreamSerialization;
    attributes[count++].number = 1;
  }
  if (launch.cluster > 1) {
    attributes[count].id = kClusterDimension;
    LaunchAttribute& cluster = attributes[count++];
    cluster.dimensions[0] = launch.cluster;
    cluster.dimensions[1] = cluster.dimensions[2] = 1;
  }
  const LaunchConfig config{{launch.grid.x, launch.grid.y, launch.grid.z},
                            {launch.threads, 1, 1},
                            launch.shared_bytes,
                            stream_,
                            attributes,
                            count};
  check(driver().cuLaunchKernelEx(&config, kernel, arguments, nullptr), "a launched kernel");
}

DevicePointer Device::allocate(size_t bytes) {
  DevicePointer pointer = 0;
  check(driver().cuMemAlloc_v2(&pointer, std::max<size_t>(bytes, 1)), "memory on the GPU");
  allocated_ += static_cast<int64_t>(bytes);
  return pointer;
}

void Device::release(DevicePointer pointer, size_t bytes) {
  driver().cuMemFree_v2(pointer);  // which waits for the work that uses it
  allocated_ -= static_cast<int64_t>(bytes);
}

DevicePointer Device::take(size_t bytes) {
  const size_t size = rounded(bytes);
  auto& known = free_[size];
  if (!known.empty()) {
    const DevicePointer pointer = known.back();
    known.pop_back();
    return pointer;
  }
  if (size > chunk_left_) {
    const size_t chunk = std::max(size, kChunkBytes);
    chunks_.push_back(allocate(chunk));
    if (chunk == size) return chunks_.back();
    chunk_at_ = chunks_.back();
    chunk_left_ = chunk;
  }
  const DevicePointer pointer = chunk_at_;
  chunk_at_ += size;
  chunk_left_ -= size;
  return pointer;
}

int64_t Device::free_bytes() const {
  size_t free = 0;
  size_t total = 0;
  check(driver().cuMemGetInfo_v2(&free, &total), "the GPU's free memory");
  return static_cast<int64_t>(free);
}

void Device::give_back(DevicePointer pointer, size_t bytes) { free_[rounded(bytes)].push_back(pointer); }

void Device::upload(DevicePointer to, const void* from, size_t bytes) {
  check(driver().cuMemcpyHtoDAsync_v2(to, from, bytes, stream_), "a copy to the GPU");
}
void Device::download(void* to, DevicePointer from, size_t bytes) {
  check(driver().cuMemcpyDtoHAsync_v2(to, from, bytes, stream_), "a copy from the GPU");
}
void Device::copy(DevicePointer to, DevicePointer from, size_t bytes) {
  check(driver().cuMemcpyDtoDAsync_v2(to, from, bytes, stream_), "a copy on the GPU");
}
void Device::fill(DevicePointer to, unsigned char value, size_t bytes) {
  check(driver().cuMemsetD8Async(to, value, bytes, stream_), "memory on the GPU that is filled");
}
void Device::wait() { check(driver().cuStreamSynchronize(stream_), "the GPU's work done"); }

PinnedMemory::~PinnedMemory() {
  if (memory_ != nullptr) driver().cuMemFreeHost(memory_);
}

void* PinnedMemory::get(size_t bytes) {
  if (bytes <= bytes_) return memory_;
  if (memory_ != nullptr) driver().cuMemFreeHost(memory_);
  memory_ = nullptr;
  bytes_ = 0;
  check(driver().cuMemHostAlloc(&memory_, bytes, 0), "pinned memory");
  bytes_ = bytes;
  return memory_;
}

}  // namespace emelex::cuda
