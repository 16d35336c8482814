#include "kernels/matrix_size.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

MatrixSize matrix_size(const Tensor& tensor) {
  if (tensor.rows() > kMaxMatrixSize || tensor.columns() > kMaxMatrixSize) {
    throw Error(ErrorCode::unsupported,
                str_cat("[kernels] expected matrices of at most ", kMaxMatrixSize, " rows and columns, got ",
                        tensor.name, " of ", tensor.rows(), " x ", tensor.columns()));
  }
  return {static_cast<int>(tensor.rows()), static_cast<int>(tensor.columns())};
}

}  // namespace emelex
