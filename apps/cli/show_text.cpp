#include "cli/show_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/strings.h"
#include "cli/format.h"
#include "cli/text_table.h"

namespace emelex::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr size_t kShownBytes = 60;     // of a string in the summary
constexpr size_t kShownElements = 8;   // of an array there
constexpr size_t kNoLimit = SIZE_MAX;  // in full

// The shortest text that reads back as the same number: of a float, if the file had one.
std::string number_text(double value) {
  constexpr double kWhole = 1e15;  // below it "%.0f" is exact, and easier to read than an exponent
  if (std::abs(value) < kWhole && value == std::floor(value)) return fixed(value, 0);
  const bool is_float = static_cast<double>(static_cast<float>(value)) == value;
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (is_float ? std::strtof(text, nullptr) == static_cast<float>(value) : std::strtod(text, nullptr) == value) break;
  }
  return text;
}

// As much of `text` in quotes as `limit` allows, whole characters only.
std::string text_text(std::string_view text, size_t limit) {
  size_t n = std::min(text.size(), limit);
  for (int back = 0; back < 4 && n < text.size() && n > 0 && utf8_length(text.substr(n)) == 0; ++back) --n;
  return escape_bytes(text.substr(0, n)) + (n < text.size() ? str_cat("… (", text.size(), " bytes)") : "");
}

template <class T>
std::string scalar_text(const T& value, size_t limit) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
  if constexpr (std::is_same_v<T, double>) return number_text(value);
  if constexpr (std::is_same_v<T, std::string>) return text_text(value, limit);
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return std::to_string(value);
}

template <class T>
std::string_view plural_name() {
  return std::is_same_v<T, bool>          ? "booleans"
         : std::is_same_v<T, std::string> ? "strings"
         : std::is_same_v<T, double>      ? "numbers"
                                          : "integers";
}

template <class T>
std::string array_text(const std::vector<T>& values, bool full) {
  const std::string cut = str_cat("[", values.size(), " ", plural_name<T>(), "]");
  if (!full && values.size() > kShownElements) return cut;
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ", ") + scalar_text<T>(values[i], kNoLimit);
  return full || text.size() <= kShownBytes ? text + "]" : cut;
}

std::string value_text(const Metadata::Value& value, bool full) {
  return std::visit(
      [full](const auto& x) -> std::string {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
          return scalar_text<T>(x, full ? kNoLimit : kShownBytes);
        } else {
          return array_text(x, full);
        }
      },
      value);
}

// "Q4_K ×30, Q6_K ×16"
std::string types_text(const std::vector<TypeShare>& types) {
  std::string text;
  for (const TypeShare& share : types) text += str_cat(text.empty() ? "" : ", ", share.type, " ×", share.tensors);
  return text;
}

std::string sizes_text(const LayerSizes& sizes) {
  if (sizes.empty()) return "";
  const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
  return *least == *most ? std::to_string(*least) : str_cat(*least, " to ", *most, ", by layer");
}

class Summary {
 public:
  Summary(const ModelDescription& model, const std::string& last_used) : model_(model), last_used_(last_used) {}

  std::string text() {
    add_files();
    add("last used", last_used_);
    add_sizes();
    add_tokenizer();
    add_memory();
    if (!model_.not_run.empty()) add("", "not yet run by emelex: " + one_line(model_.not_run));
    return text_table(rows_);
  }

 private:
  void add(const std::string& name, const std::string& value) {
    if (!value.empty()) rows_.push_back({name, value});
  }
  void add(const std::string& name, std::optional<int64_t> value) {
    if (value) add(name, std::to_string(*value));
  }
  void add_files();
  void add_sizes();
  void add_rope();
  void add_tokenizer();
  void add_chat_template();
  void add_memory();

  const ModelDescription& model_;
  const std::string& last_used_;
  Rows rows_;
};

void Summary::add_files() {
  add("name", one_line(model_.name));
  const bool one = model_.files.size() == 1;
  for (const FileDescription& file : model_.files) {
    add("file", str_cat(one_line(file.path.string()), ", ", human_bytes(file.bytes)));
  }
  if (!one) add("size", str_cat(human_bytes(model_.file_bytes), " in ", model_.files.size(), " files"));
  add("format", model_.format);
  add("architecture", one_line(model_.architecture));
  if (!model_.text_part_of.empty())
    add("", str_cat("the text part of ", one_line(model_.text_part_of), "; pictures are not read"));
  const auto active = model_.active_parameters;
  add("parameters",
      human_count(model_.parameters) + (active ? ", " + human_count(*active) + " of them for a token" : ""));
  add("quantization", str_cat(types_text(model_.types), "; ", human_bytes(model_.weight_bytes), ", ",
                              fixed(bits_per_weight(model_.weight_bytes, model_.parameters), 2), " bits per weight"));
  if (model_.unreadable_tensors > 0) add("", str_cat(model_.unreadable_tensors, " more of types that emelex lacks"));
}

void Summary::add_sizes() {
  add("layers", model_.layers);
  add("dimensions", model_.dim);
  std::string heads = sizes_text(model_.heads);
  if (!heads.empty()) heads += str_cat(" (", sizes_text(model_.kv_heads), " for keys and values)");
  if (!heads.empty() && model_.head_dim) heads += str_cat(" of ", *model_.head_dim, " dimensions");
  add("heads", heads);
  add("feed-forward", sizes_text(model_.ffn_dim));
  if (model_.experts && model_.experts_used) {
    add("experts", str_cat(*model_.experts, ", ", *model_.experts_used, " of them used for a token"));
  }
  if (model_.not_run.empty()) {
    add("on NVIDIA GPUs",
        model_.experts ? "by MLX's operations: emelex's kernels have no mixtures of experts" : "by emelex's kernels");
  }
  add("vocabulary", model_.vocab_size);
  if (model_.context_length) add("context", str_cat(*model_.context_length, " tokens"));
  add_rope();
}

void Summary::add_rope() {
  const RopeDescription& rope = model_.rope;
  std::string text;
  const auto part = [&text](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (rope.base) part("base " + number_text(*rope.base));
  if (rope.dimensions) part(str_cat(*rope.dimensions, " dimensions"));
  if (!rope.scaling.empty()) part("scaling " + one_line(rope.scaling));
  if (rope.scaling_factor) part("factor " + number_text(*rope.scaling_factor));
  if (rope.original_context) part(str_cat("from ", *rope.original_context, " tokens"));
  if (rope.has_divisors) part("a divisor for each frequency");
  add("rope", text);
}

void Summary::add_tokenizer() {
  const TokenizerDescription& tokenizer = model_.tokenizer;
  std::string text = !tokenizer.model.empty()     ? one_line(tokenizer.model)
                     : !tokenizer.problem.empty() ? "unreadable: " + one_line(tokenizer.problem)
                                                  : "none in this file";
  if (!tokenizer.pre.empty()) text += ", pre-tokenizer " + one_line(tokenizer.pre);
  if (tokenizer.vocab_size) text += str_cat(", ", *tokenizer.vocab_size, " tokens");
  const auto token = [&text](const char* kind, const std::optional<TokenDescription>& value) {
    if (value) text += str_cat(", ", kind, " ", value->id, " ", text_text(value->name, kShownBytes));
  };
  token("bos", tokenizer.bos);
  token("eos", tokenizer.eos);
  add("tokenizer", text);
  for (const std::string& warning : tokenizer.warnings) add("warning", one_line(warning));
  add_chat_template();
}

void Summary::add_chat_template() {
  using State = ChatTemplateDescription::State;
  const ChatTemplateDescription& chat = model_.chat_template;
  add("chat template", chat.state == State::none         ? "none"
                       : chat.state == State::unreadable ? "unreadable: " + one_line(chat.reason)
                                                         : "yes");
}

void Summary::add_memory() {
  if (!model_.kv_bytes_per_token) return;
  add("KV cache", str_cat(*model_.kv_bytes_per_token, " bytes per token in f16"));
  if (!model_.memory_bytes) return;
  add("memory", str_cat("about ", human_bytes(*model_.memory_bytes), ": ", human_bytes(model_.weight_bytes),
                        " of weights, ", human_bytes(*model_.memory_bytes - model_.weight_bytes), " of cache for ",
                        *model_.default_context, " tokens"));
}

std::string kinds_table(const ModelDescription& model) {
  Rows rows = {{"TENSORS", "TYPES", "SIZE", "BITS"}};
  for (const KindDescription& kind : model.kinds) {
    int64_t bytes = 0;
    int64_t values = 0;
    for (const TypeShare& share : kind.types) {
      bytes += share.bytes;
      values += share.values;
    }
    rows.push_back(
        {one_line(kind.kind), types_text(kind.types), human_bytes(bytes), fixed(bits_per_weight(bytes, values), 2)});
  }
  return text_table(rows, {2, 3});
}

std::string metadata_table(const ModelDescription& model) {
  Rows rows = {{"METADATA", "VALUE"}};
  for (const auto& [key, value] : model.metadata->values()) {
    rows.push_back({one_line(key), value_text(value, false)});
  }
  return text_table(rows);
}

}  // namespace

std::string show_summary(const ModelDescription& model, const std::string& last_used) {
  return str_cat(Summary(model, last_used).text(), "\n", kinds_table(model), "\n", metadata_table(model));
}

std::string show_metadata(const ModelDescription& model) {
  std::string text;
  for (const auto& [key, value] : model.metadata->values()) {
    text += str_cat(one_line(key), " = ", value_text(value, true), "\n");
  }
  return text;
}

std::string show_keys(const std::vector<KeyState>& keys) {
  Rows rows = {{"KEY", "USE", "WHY"}};
  for (const KeyState& key : keys) rows.push_back({one_line(key.key), key_use_text(key.use), one_line(key.reason)});
  return text_table(rows, {});
}

std::string show_tensors(const ModelDescription& model) {
  Rows rows = {{"NAME", "TYPE", "SHAPE", "BYTES"}};
  for (const auto& [name, tensor] : model.weights->tensors()) {
    rows.push_back({one_line(name), tensor.type_name(), shape_text(tensor.shape), std::to_string(tensor.bytes())});
  }
  for (const auto& [name, reason] : model.weights->unreadable()) {
    rows.push_back({one_line(name), "?", one_line(reason), "?"});
  }
  return text_table(rows, {3});
}

}  // namespace emelex::cli
