#include "tools/quantize/checks.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

void throw_rounded(const Tensor& tensor) {
  throw Error(ErrorCode::unsupported,
              str_cat("[quantize] expected weights that are not rounded yet, got ", tensor.type_name(), " for ",
                      quote_bytes(tensor.name),
                      " (start from the original model, or allow it with --requantize and lose some quality)"));
}

namespace {

// Whether `file` lies below the folder `output`, links resolved.
bool lies_in(const std::filesystem::path& file, const std::filesystem::path& output) {
  std::error_code error;
  if (!std::filesystem::is_directory(output, error)) return false;
  const std::filesystem::path real = std::filesystem::weakly_canonical(file, error);
  for (std::filesystem::path folder = real; folder.has_relative_path(); folder = folder.parent_path()) {
    if (std::filesystem::equivalent(folder, output, error)) return true;
  }
  return false;
}

}  // namespace

void check_not_input(const Weights& weights, const std::filesystem::path& output) {
  if (output.empty()) {
    throw Error(ErrorCode::invalid_argument, "[quantize] expected the path of what to write, got an empty one");
  }
  std::error_code ignored;
  const auto check = [&](const std::filesystem::path& file) {
    if (!std::filesystem::equivalent(file, output, ignored) && !lies_in(file, output)) return;
    throw Error(ErrorCode::invalid_argument,
                str_cat("[quantize] expected another place than the model's own, got ", path_text(output)));
  };
  check(weights.path());
  for (const std::filesystem::path& file : weights.files()) check(file);
}

}  // namespace emelex
