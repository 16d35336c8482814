#include "kernels/cuda/cuda_activation.h"

#include "kernels/cuda/source/layouts.h"

namespace emelex::cuda {
namespace {

static_assert(kSiluGate == static_cast<int>(GATE_SILU) && kGeluGate == static_cast<int>(GATE_GELU) &&
              kClampedGate == static_cast<int>(GATE_CLAMPED));

template <class T = float>
T* address(DevicePointer pointer) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(pointer));  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

ActivationKind gate_of(Activation activation) {
  return activation == Activation::silu ? kSiluGate : activation == Activation::gelu ? kGeluGate : kClampedGate;
}

void activate_rows(Device& device, ActivationKind kind, const ActivationInput& in, CudaArray& out) {
  out.take_halves(true);
  const ActivationArgs args{static_cast<int>(kind),
                            out.columns(),
                            in.stride,
                            address(in.gate),
                            address(in.up),
                            address(in.x_scale),
                            address(in.gate_bias),
                            address(in.up_bias),
                            kind == kHalvesAlone || !out.has_floats() ? nullptr : address(out.data()),
                            address<unsigned short>(out.halves()),
                            out.half_stride(),
                            address(out.half_scales())};
  device.launch(device.kernel({"elementwise", {}}, "activation"), {static_cast<unsigned>(out.rows())}, 1024, args);
}

}  // namespace emelex::cuda
