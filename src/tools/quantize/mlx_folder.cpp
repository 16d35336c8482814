// A folder as mlx-lm reads and writes it: https://github.com/ml-explore/mlx-lm (utils.py, save and quantize_model)
#include <fcntl.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/durable_file.h"
#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "quant/mlx_quants.h"
#include "quant/quantize.h"
#include "text/hf_tokenizer.h"
#include "tools/quantize/checks.h"
#include "tools/quantize/hf_files.h"
#include "tools/quantize/quantize_model.h"
#include "tools/quantize/row_workers.h"
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

// A folder that appears under its name as a whole. Until commit() its files are in another beside it, which goes away
// when that does not come.
class DurableFolder {
 public:
  explicit DurableFolder(const fs::path& folder) : folder_(fs::absolute(folder).lexically_normal()) {
    if (!folder_.has_filename()) folder_ = folder_.parent_path();
    temporary_ = folder_.parent_path() / str_cat(".", folder_.filename().string(), ".", ::getpid(), ".part");
    std::error_code error;
    fs::remove_all(temporary_, error);
    if (!fs::create_directory(temporary_, error)) {
      throw Error(ErrorCode::io, str_cat("[quantize] expected a folder that can be made, got ", path_text(folder_),
                                         ": ", error.message()));
    }
  }
  DurableFolder(const DurableFolder&) = delete;
  DurableFolder& operator=(const DurableFolder&) = delete;
  ~DurableFolder() {
    std::error_code ignored;
    if (!committed_) fs::remove_all(temporary_, ignored);
  }

  const fs::path& path() const { return temporary_; }

  // An old folder of that name is put aside first and removed last, so that one of the two is always there whole.
  void commit() {
    const fs::path old = temporary_.string() + ".old";
    std::error_code error;
    if (is_there(folder_)) fs::rename(folder_, old, error);
    if (!error) fs::rename(temporary_, folder_, error);
    if (error) {
      std::error_code ignored;
      if (is_there(old)) fs::rename(old, folder_, ignored);
      throw Error(ErrorCode::io, str_cat("[quantize] can't put ", path_text(folder_), " in place: ", error.message()));
    }
    committed_ = true;
    fs::remove_all(old, error);
  }

 private:
  fs::path folder_;
  fs::path temporary_;
  bool committed_ = false;
};

struct Module {
  const Tensor* tensor;
  std::string name;  // Hugging Face's
  bool quantized;
  bool less_one;  // stored less 1, as HfNorm::rms_less_one has it
};

// config.json has the rule of these.
bool is_made_of_config(std::string_view name) {
  return name == "rope_freqs.weight" || name == "rope_factors_long.weight" || name == "rope_factors_short.weight";
}

class MlxFolderOutput {
 public:
  MlxFolderOutput(const Weights& weights, const MlxTarget& target, const QuantizeOptions& options)
      : weights_(weights),
        options_(options),
        from_folder_(is_there(weights.path() / "config.json")),
        orders_(weights, false),
        workers_(options.threads) {
    plain_type_ = choose_plain_type();
    format_ = {MlxMode::affine, target.bits, target.group_size, plain_type_};
    if (!is_mlx_format(format_)) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[quantize] expected 2, 3, 4, 5, 6 or 8 bits in groups of 32, 64 or 128, got ", target.bits,
                          " bits in groups of ", target.group_size));
    }
    plan_modules();
    if (!options.requantize) refuse_rounded();
    declare_shards();
  }

  QuantizeReport write(const fs::path& output) {
    DurableFolder folder(output);
    write_side_files(folder.path());
    for (size_t i = 0; i < shards_.size(); ++i) write_shard(folder.path() / shard_name(i), i);
    write_text(folder.path() / "model.safetensors.index.json", index_json());
    folder.commit();
    return std::move(report_);
  }

 private:
  struct Shard {
    SafeTensorsWriter writer;
    std::vector<const Module*> modules;
  };

  // What plain numbers, scales and biases are in: the model's own type of 16 bits, and float16 for others.
  TensorType choose_plain_type() const {
    for (const auto& [name, tensor] : weights_.tensors()) {
      if (tensor.type == TensorType::bf16 || (tensor.mlx && tensor.mlx->format.scale_type == TensorType::bf16)) {
        return TensorType::bf16;
      }
    }
    return TensorType::f16;
  }
  std::string dtype() const { return plain_type_ == TensorType::bf16 ? "BF16" : "F16"; }
  uint64_t plain_bytes() const { return 2; }

  void plan_modules() {
    const HfFamily& family = find_family();
    for (const auto& [name, tensor] : weights_.tensors()) {
      if (is_made_of_config(name)) continue;
      const auto hf_name = hf_tensor_name(family, name);
      if (!hf_name) {
        throw Error(ErrorCode::unsupported, str_cat("[quantize] expected tensors that ", family.model_type,
                                                    " has in Hugging Face's files, got ", quote_bytes(name)));
      }
      const bool quantized = tensor.shape.size() == 2 && tensor.columns() % format_.group_size == 0;
      const bool less_one =
          family.norm == HfNorm::rms_less_one && tensor.shape.size() == 1 && name.ends_with("norm.weight");
      modules_.push_back(
          {&tensor, str_cat(family.has_text_part ? "language_model." : "", *hf_name), quantized, less_one});
    }
  }

  // A folder's own; of GGUF files only a Llama's has a config.json that we can write.
  const HfFamily& find_family() const {
    const Metadata& metadata = weights_.metadata();
    const std::string architecture = metadata.require_string("general.architecture");
    if (metadata.integer(str_cat(architecture, ".expert_count")).value_or(0) > 0) {
      throw Error(ErrorCode::unsupported, str_cat("[quantize] expected a model without experts for an MLX folder, got ",
                                                  quote_bytes(architecture), " with some in ", metadata.source()));
    }
    if (!from_folder_ && architecture != "llama") {
      throw Error(
          ErrorCode::unsupported,
          str_cat("[quantize] expected a folder, or a GGUF file of the architecture llama, for an MLX folder, got ",
                  quote_bytes(architecture), " in ", metadata.source()));
    }
    if (!from_folder_) return *find_hf_family(architecture);
    // Opening it has found the family.
    return *find_hf_family(
        OrderedJson::parse(read_text(weights_.path() / "config.json")).at("model_type").get<std::string>());
  }

  void refuse_rounded() const {
    for (const Module& module : modules_) {
      const Tensor& tensor = *module.tensor;
      if (tensor.type == TensorType::mlx || info(tensor.type).block_size > 1) throw_rounded(tensor);
    }
  }

  void declare_shards() {
    for (const Module& module : modules_) {
      const auto values = static_cast<uint64_t>(RowSource(*module.tensor).rows() * module.tensor->columns());
      const uint64_t bytes = module.quantized
                                 ? values / 8 * static_cast<uint64_t>(format_.bits) +
                                       2 * plain_bytes() * values / static_cast<uint64_t>(format_.group_size)
                                 : values * plain_bytes();
      if (shards_.empty() ||
          (shards_.back().writer.data_bytes() + bytes > kMostShardBytes && !shards_.back().modules.empty())) {
        shards_.emplace_back();
      }
      declare(shards_.back(), module);
      total_ += bytes;
    }
  }

  void declare(Shard& shard, const Module& module) const {
    shard.modules.push_back(&module);
    const Tensor& tensor = *module.tensor;
    const auto rows = RowSource(tensor).rows();
    if (!module.quantized) {
      shard.writer.declare(module.name, dtype(), tensor.shape,
                           static_cast<uint64_t>(rows * tensor.columns()) * plain_bytes());
      return;
    }
    const std::string base = module.name.substr(0, module.name.rfind('.'));
    const int64_t words = tensor.columns() * format_.bits / 32;
    const int64_t groups = tensor.columns() / format_.group_size;
    shard.writer.declare(module.name, "U32", {rows, words}, static_cast<uint64_t>(rows * words) * 4);
    for (const char* part : {".scales", ".biases"}) {
      shard.writer.declare(base + part, dtype(), {rows, groups}, static_cast<uint64_t>(rows * groups) * plain_bytes());
    }
  }

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
    for (const Module* module : shards_[i].modules) write_module(file, *module);
    file.commit();
  }

  void write_module(DurableFile& file, const Module& module) {
    const RowSource source = orders_.source(*module.tensor);
    scales_.clear();
    biases_.clear();
    const uint64_t before = done_;
    const int64_t batch = rows_between_writes(source.columns());
    for (int64_t row = 0; row < source.rows(); row += batch) {
      if (options_.progress) options_.progress({n_done_, modules_.size(), module.name, done_, total_});
      if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed)) {
        throw Error(ErrorCode::cancelled, "[quantize] interrupted; nothing was written");
      }
      const int64_t n = std::min(batch, source.rows() - row);
      put(file, module.quantized ? quantized_rows(source, row, n) : plain_rows(source, row, n, module.less_one));
    }
    put(file, scales_);
    put(file, biases_);
    ++n_done_;
    const int64_t values = source.rows() * source.columns();
    const std::string type = module.quantized ? str_cat("MLX-", format_.bits, "bit") : dtype();
    report_.tensors.push_back(
        {module.name, module.tensor->type_name(), type, module.tensor->bytes(), done_ - before, values});
    report_.bytes_before += module.tensor->bytes();
    report_.bytes_after += done_ - before;
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

  // Of the packed values; scales and biases are kept until the last row.
  std::span<const std::byte> quantized_rows(const RowSource& source, int64_t first, int64_t n) {
    const size_t bytes = mlx_row_bytes(format_, source.columns());
    const size_t scale_bytes = mlx_scale_row_bytes(format_, source.columns());
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
      quantize_mlx(format_, values, std::span(values_).subspan(row * bytes, rows * bytes), part(scales_),
                   part(biases_));
    });
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
  }

  std::string config_json() const {
    const std::string dtype_name = plain_type_ == TensorType::bf16 ? "bfloat16" : "float16";
    auto config = OrderedJson::parse(from_folder_ ? read_text(weights_.path() / "config.json")
                                                  : hf_config_json(weights_, dtype_name));
    const OrderedJson quantization = {{"group_size", format_.group_size}, {"bits", format_.bits}, {"mode", "affine"}};
    config["quantization"] = quantization;
    config["quantization_config"] = quantization;
    return config.dump(2) + "\n";
  }

  std::string index_json() const {
    OrderedJson map = OrderedJson::object();
    for (size_t i = 0; i < shards_.size(); ++i) {
      for (const std::string& name : shards_[i].writer.names()) map[name] = shard_name(i);
    }
    return OrderedJson{{"metadata", {{"total_size", total_}}}, {"weight_map", std::move(map)}}.dump(1) + "\n";
  }

  const Weights& weights_;
  const QuantizeOptions& options_;
  bool from_folder_;
  RowOrders orders_;
  RowWorkers workers_;
  TensorType plain_type_ = TensorType::f16;
  MlxFormat format_;
  std::vector<Module> modules_;
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

QuantizeReport quantize_to_mlx(const fs::path& model, const fs::path& output, const MlxTarget& target,
                               const QuantizeOptions& options) {
  const std::shared_ptr<const Weights> weights = open_model(model);
  check_not_input(*weights, output);
  MlxFolderOutput folder(*weights, target, options);
  QuantizeReport report = folder.write(output);
  report.output = output;
  return report;
}

}  // namespace emelex
