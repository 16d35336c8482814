#include "hub/check_tensors.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/strings.h"
#include "base/thread_pool.h"
#include "hub/retry.h"
#include "weights/weights.h"

namespace emelex {
namespace {

constexpr int64_t kValuesAtOnce = int64_t{1} << 16;  // that one thread reads; they stay in its cache
constexpr int kChunksAtOnce = 256;                   // between two looks at `cancel`
constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

class TensorCheck {
 public:
  TensorCheck(ThreadPool& pool, const std::atomic<bool>* cancel) : pool_(pool), cancel_(cancel) {
    buffers_.resize(static_cast<size_t>(pool.size()));
  }

  // "" when all values are finite.
  std::string problem_of(const Tensor& tensor) {
    int64_t values = 1;
    for (const int64_t extent : tensor.shape) values *= extent;
    if (values == 0) return "";
    const int64_t columns = tensor.columns();
    const int64_t rows = values / columns;
    const int64_t rows_at_once = std::max<int64_t>(1, kValuesAtOnce / columns);
    const int64_t chunks = (rows + rows_at_once - 1) / rows_at_once;
    for (int64_t begin = 0; begin < chunks; begin += kChunksAtOnce) {
      check_cancelled(cancel_);
      const int64_t bad = first_bad(tensor, begin, std::min(chunks, begin + kChunksAtOnce), rows, rows_at_once);
      if (bad == kNone) continue;
      return str_cat("tensor ", quote_bytes(tensor.name), " (", tensor.type_name(), "): expected numbers, got ",
                     value_text(tensor, bad), " in row ", bad / columns, ", column ", bad % columns);
    }
    return "";
  }

 private:
  int64_t first_bad(const Tensor& tensor, int64_t begin, int64_t end, int64_t rows, int64_t rows_at_once) {
    std::vector<int64_t> bad(static_cast<size_t>(end - begin), kNone);
    pool_.for_each(static_cast<int>(end - begin), [&](int chunk, int worker) {
      const int64_t row = (begin + chunk) * rows_at_once;
      std::vector<float>& values = buffers_[static_cast<size_t>(worker)];
      values.resize(static_cast<size_t>(std::min(rows_at_once, rows - row) * tensor.columns()));
      tensor.read_rows(row, values);
      const auto found = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
      if (found != values.end()) bad[static_cast<size_t>(chunk)] = row * tensor.columns() + (found - values.begin());
    });
    return *std::min_element(bad.begin(), bad.end());
  }

  static std::string value_text(const Tensor& tensor, int64_t at) {
    std::vector<float> row(static_cast<size_t>(tensor.columns()));
    tensor.read_rows(at / tensor.columns(), row);
    return std::isnan(row[static_cast<size_t>(at % tensor.columns())]) ? "a NaN" : "an infinite one";
  }

  ThreadPool& pool_;
  const std::atomic<bool>* cancel_;
  std::vector<std::vector<float>> buffers_;  // of each worker
};

}  // namespace

std::vector<std::string> check_tensors(const std::filesystem::path& path, const std::atomic<bool>* cancel,
                                       int64_t* tensors) {
  std::shared_ptr<const Weights> weights;
  try {
    weights = open_weights(path);
  } catch (const Error& error) {
    return {error.what()};
  }
  std::vector<std::string> problems;
  ThreadPool pool(physical_cores());
  TensorCheck check(pool, cancel);
  for (const auto& [name, tensor] : weights->tensors()) {
    const std::string problem = check.problem_of(tensor);
    if (!problem.empty()) problems.push_back(str_cat("'", path_text(path), "': ", problem));
    ++*tensors;
  }
  return problems;
}

}  // namespace emelex
