#include "kernels/cpu/cpu_op.h"

#include <mlx/allocator.h>
#include <mlx/backend/cpu/encoder.h>

#include <new>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex::cpu {
namespace {

class CpuOp : public mx::Primitive {
 public:
  CpuOp(CpuContextPtr context, const char* op_name, OpRun run)
      : Primitive(context->stream),
        context_(std::move(context)),
        name_(op_name),
        run_(std::make_shared<const OpRun>(std::move(run))) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    std::vector<const float*> in;
    std::vector<float*> out;
    in.reserve(inputs.size());
    out.reserve(outputs.size());
    for (const auto& input : inputs) {
      if (input.dtype() != mx::float32 || !input.flags().row_contiguous) {
        throw Error(ErrorCode::internal, str_cat("[", name_, "] expected contiguous float32 inputs"));
      }
      in.push_back(input.data<float>());
    }
    for (auto& output : outputs) {
      output.set_data(mx::allocator::malloc(output.nbytes()));
      // MLX's CPU allocator gives what std::malloc gave.
      if (output.nbytes() > 0 && output.data<float>() == nullptr) throw std::bad_alloc();
      out.push_back(output.data<float>());
    }
    // MLX keeps the buffers alive until the task has run.
    mx::cpu::get_command_encoder(stream()).dispatch(
        [context = context_, run = run_, in = std::move(in), out = std::move(out)] {
          context->failure.guard([&] { (*run)(in.data(), out.data()); });
        });
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw Error(ErrorCode::internal, str_cat("[", name_, "] a CPU kernel was scheduled on a GPU"));
  }

  const char* name() const override { return name_; }

 private:
  CpuContextPtr context_;
  const char* name_;
  std::shared_ptr<const OpRun> run_;
};

}  // namespace

std::vector<mx::array> make_op(const char* name, CpuContextPtr context, const std::vector<mx::Shape>& output_shapes,
                               const std::vector<mx::array>& inputs, OpRun run) {
  const std::vector<mx::Dtype> dtypes(output_shapes.size(), mx::float32);
  return mx::array::make_arrays(output_shapes, dtypes,
                                std::make_shared<CpuOp>(std::move(context), name, std::move(run)), inputs);
}

mx::array make_op(const char* name, CpuContextPtr context, const mx::Shape& output_shape,
                  const std::vector<mx::array>& inputs, OpRun run) {
  return mx::array(output_shape, mx::float32, std::make_shared<CpuOp>(std::move(context), name, std::move(run)),
                   inputs);
}

}  // namespace emelex::cpu
