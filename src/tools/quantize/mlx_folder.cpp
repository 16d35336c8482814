// A folder as mlx-lm reads and writes it: https://github.com/ml-explore/mlx-lm (utils.py, save and quantize_model)
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/durable_file.h"
#include "base/failures.h"
#include "base/json_text.h"
#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "model_files/model_files.h"
#include "quant/mlx_quants.h"
#include "quant/quantize.h"
#include "tools/quantize/checks.h"
#include "tools/quantize/hf_files.h"
#include "tools/quantize/mlx_modules.h"
#include "tools/quantize/output_folder.h"
#include "tools/quantize/quantize_model.h"
#include "tools/quantize/row_workers.h"
#include "tools/quantize/whole_model.h"
#include "tools/quantize/zero_biases.h"
#include "weights/safetensors/hf_families.h"
#include "weights/safetensors/safetensors_writer.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr uint64_t kMostShardBytes = 5'000'000'000;  // as mlx-lm has it

// What a folder may have beside its tensors and config.json that a copy needs too.
constexpr std::array kSideFiles = {"tokenizer.json",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "added_tokens.json",
                                   "vocab.json",
                                   "merges.txt",
                                   "tokenizer.model",
                                   "chat_template.jinja",
                                   "chat_template.json",
                                   "generation_config.json"};

class MlxFolderOutput {
 public:
  MlxFolderOutput(const ModelFiles& files, const MlxTarget& target, const QuantizeOptions& options)
      : files_(files),
        weights_(*files.weights),
        options_(options),
        from_folder_(is_there(weights_.path() / "config.json")),
        plain_type_(choose_plain_type(weights_)),
        format_(check_format({MlxMode::affine, target.bits, target.group_size, plain_type_})),
        config_(read_config()),
        modules_(weights_, family(), format_),
        workers_(options.threads) {
    if (!options.requantize) refuse_rounded();
    declare_shards();
  }

  QuantizeReport write(const fs::path& output) {
    OutputFolder folder(output, options_.replace);
    write_side_files(folder.path());
    for (size_t i = 0; i < shards_.size(); ++i) write_shard(folder.path() / shard_name(i), i);
    write_text(folder.path() / "model.safetensors.index.json", index_json());
    folder.commit();
    return std::move(report_);
  }

 private:
  struct Shard {
    SafeTensorsWriter writer;
    std::vector<const MlxModule*> modules;
  };

  // What plain numbers, scales and biases are in: the model's own type of 16 bits, and float16 for others.
  static TensorType choose_plain_type(const Weights& weights) {
    for (const auto& [name, tensor] : weights.tensors()) {
      if (tensor.type == TensorType::bf16 || (tensor.mlx && tensor.mlx->format.scale_type == TensorType::bf16)) {
        return TensorType::bf16;
      }
    }
    return TensorType::f16;
  }
  std::string dtype() const { return plain_type_ == TensorType::bf16 ? "BF16" : "F16"; }
  uint64_t plain_bytes() const { return 2; }

  static MlxFormat check_format(const MlxFormat& format) {
    if (is_mlx_format(format)) return format;
    throw Error(ErrorCode::invalid_argument,
                str_cat("[quantize] expected 2, 3, 4, 5, 6 or 8 bits in groups of 32, 64 or 128, got ", format.bits,
                        " bits in groups of ", format.group_size));
  }

  // A folder's own; of GGUF files we can write a Llama's and its like.
  OrderedJson read_config() const {
    if (from_folder_) return valid_ordered_json_of(read_text(weights_.path() / "config.json"));
    const Metadata& metadata = weights_.metadata();
    const std::string architecture = metadata.require_string("general.architecture");
    if (architecture != "llama") {
      throw Error(
          ErrorCode::unsupported,
          str_cat("[quantize] expected a folder, or a GGUF file of the architecture llama, for an MLX folder, got ",
                  quote_bytes(architecture), " in ", metadata.source()));
    }
    return valid_ordered_json_of(hf_config_json(weights_, plain_type_ == TensorType::bf16 ? "bfloat16" : "float16"));
  }

  // That there is one, opening the model or writing its config.json has found.
  const HfFamily& family() const { return *find_hf_family(config_.at("model_type").get<std::string>()); }

  void refuse_rounded() const {
    for (const MlxModule& module : modules_.all()) {
      if (module.kept) continue;
      for (const RowRange& part : module.parts) {
        const Tensor& tensor = part.source.tensor();
        if (tensor.type == TensorType::mlx || info(tensor.type).block_size > 1) throw_rounded(tensor);
      }
    }
  }

  // Of a row: of its numbers, or packed values, and of its scales, or its biases.
  uint64_t row_bytes_of(const MlxModule& module) const {
    return module.format ? mlx_row_bytes(*module.format, module.columns()) : row_bytes(plain_type_, module.columns());
  }
  static uint64_t scale_bytes_of(const MlxModule& module) {
    return module.format ? mlx_scale_row_bytes(*module.format, module.columns()) : 0;
  }
  static bool has_biases(const MlxModule& module) { return module.format && module.format->mode == MlxMode::affine; }

  void declare_shards() {
    for (const MlxModule& module : modules_.all()) {
      const uint64_t scales = scale_bytes_of(module) * (has_biases(module) ? 2 : 1);
      const uint64_t bytes = static_cast<uint64_t>(module.rows()) * (row_bytes_of(module) + scales);
      if (shards_.empty() ||
          (shards_.back().writer.data_bytes() + bytes > kMostShardBytes && !shards_.back().modules.empty())) {
        shards_.emplace_back();
      }
      declare(shards_.back(), module);
      total_ += bytes;
    }
  }

  void declare(Shard& shard, const MlxModule& module) const {
    shard.modules.push_back(&module);
    const auto rows = static_cast<uint64_t>(module.rows());
    if (!module.format) {
      shard.writer.declare(module.name, dtype(), module.shape, rows * row_bytes_of(module));
      return;
    }
    std::vector<int64_t> shape = module.shape;
    shape.back() = module.columns() * module.format->bits / 32;
    shard.writer.declare(module.name, "U32", shape, rows * row_bytes_of(module));
    shape.back() = module.columns() / module.format->group_size;
    const std::string base = base_name(module);
    shard.writer.declare(base + ".scales", has_biases(module) ? dtype() : "U8", shape, rows * scale_bytes_of(module));
    if (has_biases(module)) shard.writer.declare(base + ".biases", dtype(), shape, rows * scale_bytes_of(module));
  }

  static std::string base_name(const MlxModule& module) { return module.name.substr(0, module.name.rfind('.')); }

  std::string shard_name(size_t i) const {
    if (shards_.size() == 1) return "model.safetensors";
    const auto five = [](size_t n) {
      const std::string digits = std::to_string(n);
      return std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits;
    };
    return str_cat("model-", five(i + 1), "-of-", five(shards_.size()), ".safetensors");
  }

  void write_shard(const fs::path& path, size_t i) {
    DurableFile file(path);
    file.write(shards_[i].writer.header());
    for (const MlxModule* module : shards_[i].modules) write_module(file, *module);
    file.commit();
  }

  void write_module(DurableFile& file, const MlxModule& module) {
    scales_.clear();
    biases_.clear();
    const uint64_t before = done_;
    for (const RowRange& part : module.parts) write_rows(file, module, part);
    put(file, scales_);
    put(file, biases_);
    ++n_done_;
    report(module, done_ - before);
  }

  void write_rows(DurableFile& file, const MlxModule& module, const RowRange& part) {
    const int64_t batch = rows_between_writes(module.columns());
    const int64_t end = part.first + part.n;
    for (int64_t row = part.first; row < end; row += batch) {
      if (options_.progress) options_.progress({n_done_, modules_.all().size(), module.name, done_, total_});
      if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed)) {
        throw Error(ErrorCode::cancelled, "[quantize] interrupted; nothing was written");
      }
      const int64_t n = std::min(batch, end - row);
      put(file, module.kept     ? kept_rows(part.source, row, n)
                : module.format ? quantized_rows(*module.format, part.source, row, n)
                                : plain_rows(part.source, row, n, module.less_one));
    }
  }

  void report(const MlxModule& module, uint64_t bytes_after) {
    uint64_t bytes_before = 0;
    for (const RowRange& part : module.parts) {
      const RowSource& source = part.source;
      bytes_before += source.tensor().bytes() / static_cast<uint64_t>(source.rows()) * static_cast<uint64_t>(part.n);
    }
    const std::string from = module.tensor().type_name();
    const std::string to = module.kept ? from : module.format ? str_cat("MLX-", module.format->bits, "bit") : dtype();
    const int64_t values = module.rows() * module.columns();
    report_.tensors.push_back({module.name, from, to, bytes_before, bytes_after, values});
    report_.bytes_before += bytes_before;
    report_.bytes_after += bytes_after;
    report_.values += values;
  }

  void put(DurableFile& file, std::span<const std::byte> bytes) {
    file.write(bytes);
    done_ += bytes.size();
  }

  bool fits_half() const { return plain_type_ == TensorType::f16; }

  std::span<const std::byte> plain_rows(const RowSource& source, int64_t first, int64_t n, bool less_one) {
    const size_t bytes = row_bytes(plain_type_, source.columns());
    values_.resize(static_cast<size_t>(n) * bytes);
    workers_.each_piece(source, first, n, fits_half(), [&](int64_t at, std::span<const float> values) {
      std::vector<float> less;
      if (less_one) {
        for (const float value : values) less.push_back(value - 1.0F);
        values = less;
      }
      quantize(plain_type_, values,
               std::span(values_).subspan(static_cast<size_t>(at) * bytes, values.size() * plain_bytes()));
    });
    return values_;
  }

  // The packed values; scales and biases are put aside until the last row of the module.
  std::span<const std::byte> quantized_rows(const MlxFormat& format, const RowSource& source, int64_t first,
                                            int64_t n) {
    const size_t bytes = mlx_row_bytes(format, source.columns());
    const size_t scale_bytes = mlx_scale_row_bytes(format, source.columns());
    const size_t before = scales_.size();
    values_.resize(static_cast<size_t>(n) * bytes);
    scales_.resize(before + static_cast<size_t>(n) * scale_bytes);
    biases_.resize(scales_.size());
    workers_.each_piece(source, first, n, fits_half(), [&](int64_t at, std::span<const float> values) {
      const auto row = static_cast<size_t>(at);
      const size_t rows = values.size() / static_cast<size_t>(source.columns());
      const auto part = [&](std::vector<std::byte>& all) {
        return std::span(all).subspan(before + row * scale_bytes, rows * scale_bytes);
      };
      quantize_mlx(format, values, std::span(values_).subspan(row * bytes, rows * bytes), part(scales_), part(biases_));
    });
    return values_;
  }

  // The same of rows that are in their format already and have no biases.
  std::span<const std::byte> kept_rows(const RowSource& source, int64_t first, int64_t n) {
    const Tensor& tensor = source.tensor();
    const auto append = [](std::vector<std::byte>& to, std::span<const std::byte> all, size_t row, size_t bytes) {
      const auto from = all.subspan(row * bytes, bytes);
      to.insert(to.end(), from.begin(), from.end());
    };
    values_.clear();
    for (int64_t i = first; i < first + n; ++i) {
      const auto row = static_cast<size_t>(source.source_row(i));
      append(values_, tensor.data, row, tensor.row_bytes());
      append(scales_, tensor.mlx->scales, row, mlx_scale_row_bytes(tensor.mlx->format, tensor.columns()));
    }
    return values_;
  }

  static void write_text(const fs::path& path, std::string_view text) {
    DurableFile file(path);
    file.write(text);
    file.commit();
  }

  void write_side_files(const fs::path& folder) const {
    write_text(folder / "config.json", config_json());
    if (from_folder_) {
      for (const char* name : kSideFiles) {
        if (is_there(weights_.path() / name)) write_text(folder / name, read_text(weights_.path() / name));
      }
      return;
    }
    write_text(folder / "tokenizer.json", hf_tokenizer_json(weights_.metadata()));
    write_text(folder / "tokenizer_config.json", hf_tokenizer_config_json(weights_.metadata()));
    write_text(folder / "generation_config.json", hf_generation_config_json(files_));
  }

  std::string config_json() const {
    OrderedJson quantization = format_json(format_);
    for (const MlxModule& module : modules_.all()) {
      if (module.format && module.format != format_) quantization[base_name(module)] = format_json(*module.format);
    }
    OrderedJson config = config_;
    config["quantization"] = quantization;
    config["quantization_config"] = quantization;
    return json_text(config, 2) + "\n";
  }

  static OrderedJson format_json(const MlxFormat& format) {
    return {{"group_size", format.group_size}, {"bits", format.bits}, {"mode", mlx_mode_name(format.mode)}};
  }

  std::string index_json() const {
    OrderedJson map = OrderedJson::object();
    for (size_t i = 0; i < shards_.size(); ++i) {
      for (const std::string& name : shards_[i].writer.names()) map[name] = shard_name(i);
    }
    return json_text(OrderedJson{{"metadata", {{"total_size", total_}}}, {"weight_map", std::move(map)}}, 1) + "\n";
  }

  const ModelFiles& files_;
  const Weights& weights_;
  const QuantizeOptions& options_;
  bool from_folder_;
  TensorType plain_type_;
  MlxFormat format_;  // of most matrices
  OrderedJson config_;
  MlxModules modules_;
  RowWorkers workers_;
  std::vector<Shard> shards_;
  std::vector<std::byte> values_;
  std::vector<std::byte> scales_;
  std::vector<std::byte> biases_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
  size_t n_done_ = 0;
  QuantizeReport report_;
};

}  // namespace

bool is_side_file(std::string_view name) {
  return std::find(kSideFiles.begin(), kSideFiles.end(), name) != kSideFiles.end();
}

QuantizeReport quantize_to_mlx(const fs::path& model, const fs::path& output, const MlxTarget& target,
                               const QuantizeOptions& options) {
  return with_errors("quantize", [&] {
    ModelFiles files = open_model(model);
    check_not_input(*files.weights, output);
    options.partial ? check_readable(*files.weights) : check_whole(files.weights);
    std::error_code error;
    if (!fs::is_directory(files.weights->path(), error)) files.weights = with_all_biases(files.weights);
    MlxFolderOutput folder(files, target, options);
    QuantizeReport report = folder.write(output);
    report.output = output;
    return report;
  });
}

}  // namespace emelex
