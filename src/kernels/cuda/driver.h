#pragma once

#include <cstddef>
#include <cstdint>

// The part of CUDA's driver that emelex calls, found in the driver's library at run time: neither its headers nor its
// library are needed to build emelex, or to run it on a CPU. Names and numbers are those of cuda.h.

namespace emelex::cuda {

using Result = int;  // CUresult; 0: success
using DeviceNumber = int;
using DevicePointer = uint64_t;
using ContextHandle = struct CUctx_st*;
using StreamHandle = struct CUstream_st*;
using ModuleHandle = struct CUmod_st*;
using FunctionHandle = struct CUfunc_st*;
using GraphHandle = struct CUgraph_st*;
using GraphExecHandle = struct CUgraphExec_st*;

// CUlaunchAttribute
struct LaunchAttribute {
  int id;
  int padding;
  union {
    int number;
    unsigned dimensions[3];
    unsigned char bytes[64];
  };
};

// CUlaunchConfig
struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  StreamHandle stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

constexpr int kClusterDimension = 4;  // launch attributes
constexpr int kProgrammaticStreamSerialization = 6;
constexpr int kMostDynamicSharedBytes = 8;  // a function's attribute
constexpr int kCaptureRelaxed = 2;          // a capture mode
constexpr int kMultiprocessorCount = 16;    // device attributes
constexpr int kCapabilityMajor = 75;
constexpr int kCapabilityMinor = 76;

// Each member is the function of its name.
struct Driver {
  Result (*cuInit)(unsigned flags);
  Result (*cuDriverGetVersion)(int* version);
  Result (*cuDeviceGetCount)(int* count);
  Result (*cuDeviceGet)(DeviceNumber* device, int ordinal);
  Result (*cuDeviceGetName)(char* name, int length, DeviceNumber device);
  Result (*cuDeviceGetAttribute)(int* value, int attribute, DeviceNumber device);
  Result (*cuDevicePrimaryCtxRetain)(ContextHandle* context, DeviceNumber device);
  Result (*cuDevicePrimaryCtxRelease_v2)(DeviceNumber device);
  Result (*cuCtxSetCurrent)(ContextHandle context);
  Result (*cuMemAlloc_v2)(DevicePointer* pointer, size_t bytes);
  Result (*cuMemFree_v2)(DevicePointer pointer);
  Result (*cuMemGetInfo_v2)(size_t* free, size_t* total);
  Result (*cuMemHostAlloc)(void** pointer, size_t bytes, unsigned flags);
  Result (*cuMemFreeHost)(void* pointer);
  Result (*cuMemcpyHtoDAsync_v2)(DevicePointer to, const void* from, size_t bytes, StreamHandle stream);
  Result (*cuMemcpyDtoHAsync_v2)(void* to, DevicePointer from, size_t bytes, StreamHandle stream);
  Result (*cuMemcpyDtoDAsync_v2)(DevicePointer to, DevicePointer from, size_t bytes, StreamHandle stream);
  Result (*cuMemsetD8Async)(DevicePointer to, unsigned char value, size_t bytes, StreamHandle stream);
  Result (*cuStreamCreate)(StreamHandle* stream, unsigned flags);
  Result (*cuStreamDestroy_v2)(StreamHandle stream);
  Result (*cuStreamSynchronize)(StreamHandle stream);
  Result (*cuStreamBeginCapture_v2)(StreamHandle stream, int mode);
  Result (*cuStreamEndCapture)(StreamHandle stream, GraphHandle* graph);
  Result (*cuGraphInstantiateWithFlags)(GraphExecHandle* exec, GraphHandle graph, unsigned long long flags);
  Result (*cuGraphLaunch)(GraphExecHandle exec, StreamHandle stream);
  Result (*cuGraphExecDestroy)(GraphExecHandle exec);
  Result (*cuGraphDestroy)(GraphHandle graph);
  Result (*cuModuleLoadData)(ModuleHandle* module, const void* image);
  Result (*cuModuleUnload)(ModuleHandle module);
  Result (*cuModuleGetFunction)(FunctionHandle* function, ModuleHandle module, const char* name);
  Result (*cuFuncSetAttribute)(FunctionHandle function, int attribute, int value);
  Result (*cuLaunchKernelEx)(const LaunchConfig* config, FunctionHandle function, void** parameters, void** extra);
  Result (*cuGetErrorName)(Result error, const char** name);
};

// The driver, initialized at the first call. Throws Error(unsupported) where there is none, or none that is new enough,
// saying which is needed. Any thread.
const Driver& driver();

// Throws Error(device), or Error(out_of_memory), unless the result is success. `what` is what was expected: "a copy to
// the GPU".
void check(Result result, const char* what);

}  // namespace emelex::cuda
