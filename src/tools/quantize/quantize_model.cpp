#include "tools/quantize/quantize_model.h"

#include <algorithm>
#include <memory>
#include <system_error>

#include "base/durable_file.h"
#include "base/failures.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "model_files/model_files.h"
#include "models/rope_config.h"
#include "quant/quantize.h"
#include "tools/quantize/checks.h"
#include "tools/quantize/mixture.h"
#include "tools/quantize/row_source.h"
#include "tools/quantize/row_workers.h"
#include "tools/quantize/sentencepiece_keys.h"
#include "tools/quantize/whole_model.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/weights.h"

namespace emelex {
namespace {

// "2" says that the K-quants are as they are today: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
constexpr uint32_t kQuantizationVersion = 2;

const Mixture& require_mixture(std::string_view name) {
  if (const Mixture* mixture = find_mixture(name)) return *mixture;
  std::string known;
  for (const Mixture& mixture : mixtures()) known += str_cat(known.empty() ? "" : ", ", mixture.name);
  throw Error(ErrorCode::invalid_argument, str_cat("[quantize] expected one of ", known, ", got ", quote_bytes(name)));
}

bool is_gguf(const Weights& weights) { return !std::filesystem::is_directory(weights.path()); }

void refuse_rounded(const std::vector<PlannedTensor>& plan) {
  for (const PlannedTensor& planned : plan) {
    const Tensor& tensor = *planned.tensor;
    if (planned.type == tensor.type) continue;
    if (tensor.type == TensorType::mlx || info(tensor.type).block_size > 1) throw_rounded(tensor);
  }
}

// What a tokenizer's own file says beyond GGUF's keys would be lost without a word.
void refuse_tokenizer_without_gguf_name(const TokenizerSource& source) {
  const auto model = source.keys().string("tokenizer.ggml.model");
  const bool said = model && !source.split_pattern && !source.ranks_are_ids &&
                    (*model != "gpt2" || source.keys().contains("tokenizer.ggml.merges"));
  if (said || source.shared != nullptr) return;
  throw Error(ErrorCode::unsupported,
              str_cat("[quantize] expected a tokenizer that GGUF has a name for, got that of ", source.where(),
                      "; --mlx writes a folder with the tokenizer's own files"));
}

// GGUF's metadata: the model's own, but what is about its files.
void add_metadata(GgufWriter& file, const ModelFiles& files, const Mixture& mixture) {
  if (files.tokenizer.problem) throw Error(*files.tokenizer.problem);
  const auto pieces = sentencepiece_keys(files.tokenizer);
  if (!pieces) refuse_tokenizer_without_gguf_name(files.tokenizer);
  const std::shared_ptr<const Metadata> all = gguf_metadata(files);
  const Metadata& metadata = *all;
  if (pieces) {
    for (const auto& [key, value] : pieces->values()) file.add_value(key, value, pieces->width(key));
  }
  for (const auto& [key, value] : metadata.values()) {
    if (key == "general.alignment" || key == "general.file_type" || key == "general.quantization_version" ||
        key.starts_with("split.") || (pieces && (pieces->contains(key) || key == "tokenizer.ggml.merges"))) {
      continue;
    }
    file.add_value(key, value, metadata.width(key));
  }
  file.add("general.file_type", static_cast<uint32_t>(mixture.file_type));
  file.add("general.quantization_version", kQuantizationVersion);
}

class GgufOutput {
 public:
  GgufOutput(const ModelFiles& files, const std::filesystem::path& output, const Mixture& mixture,
             const QuantizeOptions& options)
      : options_(options),
        orders_(*files.weights, gguf_rope_pairs(*files.weights)),
        plan_(plan_tensors(mixture, *files.weights, !is_gguf(*files.weights))),
        workers_(options.threads),
        output_(output) {
    if (!options.requantize) refuse_rounded(plan_);
    add_metadata(writer_, files, mixture);
    for (const PlannedTensor& planned : plan_) {
      writer_.declare_tensor(planned.tensor->name, planned.type, planned.tensor->shape);
    }
    header_ = writer_.header();
    total_ = header_.size();
    for (const PlannedTensor& planned : plan_) {
      const uint64_t bytes = bytes_of(planned);
      total_ += bytes + writer_.padding(bytes);
    }
  }

  QuantizeReport write() {
    check_space();
    DurableFile file(output_, {.replace = options_.replace});
    put(file, header_);
    for (size_t i = 0; i < plan_.size(); ++i) write_tensor(file, i);
    file.commit();
    return std::move(report_);
  }

 private:
  static uint64_t bytes_of(const PlannedTensor& planned) {
    const RowSource source(*planned.tensor);
    return static_cast<uint64_t>(source.rows()) * row_bytes(planned.type, source.columns());
  }

  void check_space() const {
    std::error_code error;
    const auto folder = output_.has_parent_path() ? output_.parent_path() : std::filesystem::path(".");
    const auto space = std::filesystem::space(folder, error);
    if (error || space.available >= total_) return;  // what is wrong with the folder is said when it is written to
    throw Error(ErrorCode::io, str_cat("[quantize] expected ", total_, " bytes free for ", path_text(output_), ", got ",
                                       space.available));
  }

  void put(DurableFile& file, std::span<const std::byte> bytes) {
    file.write(bytes);
    done_ += bytes.size();
  }

  void write_tensor(DurableFile& file, size_t i) {
    const PlannedTensor& planned = plan_[i];
    const RowSource source = orders_.source(*planned.tensor);
    const uint64_t bytes = bytes_of(planned);
    const int64_t batch = rows_between_writes(source.columns());
    for (int64_t row = 0; row < source.rows(); row += batch) {
      if (options_.progress) options_.progress({i, plan_.size(), planned.tensor->name, done_, total_});
      if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed)) {
        throw Error(ErrorCode::cancelled, "[quantize] interrupted; nothing was written");
      }
      put(file, rounded(source, planned, row, std::min(batch, source.rows() - row)));
    }
    put(file, std::vector<std::byte>(writer_.padding(bytes)));
    const int64_t values = source.rows() * source.columns();
    report_.tensors.push_back({planned.tensor->name, planned.tensor->type_name(), std::string(info(planned.type).name),
                               planned.tensor->bytes(), bytes, values});
    report_.bytes_before += planned.tensor->bytes();
    report_.bytes_after += bytes;
    report_.values += values;
  }

  // Rows [first, first + n) in their new type; as they are where nothing changes.
  std::span<const std::byte> rounded(const RowSource& source, const PlannedTensor& planned, int64_t first, int64_t n) {
    const Tensor& tensor = *planned.tensor;
    const size_t bytes = row_bytes(planned.type, source.columns());
    if (planned.type == tensor.type && !source.reorders()) {
      return tensor.data.subspan(static_cast<size_t>(first) * bytes, static_cast<size_t>(n) * bytes);
    }
    batch_.resize(static_cast<size_t>(n) * bytes);
    const bool fits_half = planned.type != TensorType::f32 && planned.type != TensorType::bf16;
    workers_.each_piece(source, first, n, fits_half, [&](int64_t at, std::span<const float> values) {
      const size_t rows = values.size() / static_cast<size_t>(source.columns());
      quantize(planned.type, values, std::span(batch_).subspan(static_cast<size_t>(at) * bytes, rows * bytes));
    });
    return batch_;
  }

  const QuantizeOptions& options_;
  RowOrders orders_;
  std::vector<PlannedTensor> plan_;
  RowWorkers workers_;
  std::filesystem::path output_;
  GgufWriter writer_;
  std::vector<std::byte> header_;
  std::vector<std::byte> batch_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
  QuantizeReport report_;
};

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> quantization_names() {
  std::vector<std::pair<std::string_view, std::string_view>> names;
  for (const Mixture& mixture : mixtures()) names.emplace_back(mixture.name, mixture.for_whom);
  return names;
}

QuantizeReport quantize_to_gguf(const std::filesystem::path& model, const std::filesystem::path& output,
                                std::string_view mixture, const QuantizeOptions& options) {
  return with_errors("quantize", [&] {
    const Mixture& chosen = require_mixture(mixture);
    const ModelFiles files = open_model(model);
    check_not_input(*files.weights, output);
    // A GGUF file's tensors are written as they come, whatever its architecture.
    is_gguf(*files.weights) || options.partial ? check_readable(*files.weights) : check_whole(files.weights);
    if (!is_gguf(*files.weights)) check_rope_fits_gguf(*files.weights);
    GgufOutput gguf(files, output, chosen, options);
    QuantizeReport report = gguf.write();
    report.output = output;
    return report;
  });
}

}  // namespace emelex
