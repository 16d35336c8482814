#include "text/files/generation_config.h"

#include <cmath>
#include <limits>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/json_members.h"

namespace emelex {
namespace {

namespace fs = std::filesystem;

constexpr JsonLimits kConfigLimits{16 << 20, 32, 1'000'000};
constexpr double kMostTemperature = 100;
constexpr double kMostPenalty = 100;

// The file's object; null when it is not there or is none.
Json read_object(const fs::path& path, std::vector<std::string>& warnings) {
  if (!is_there(path)) return nullptr;
  try {
    Json json = parse_json(read_text(path), kConfigLimits, "config", path_text(path));
    if (json.is_object()) return json;
    warnings.push_back(str_cat("expected a JSON object, got ", json.type_name(), " in ", path_text(path)));
  } catch (const Error& error) {
    warnings.push_back(str_cat(error.what(), "; the file is left out"));
  }
  return nullptr;
}

std::optional<int64_t> token_id(const Json& value) {
  constexpr double kMost = 1 << 30;
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  if (!(number >= 0 && number <= kMost) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

// Adds a token id, or a list of them. Returns whether there was any.
bool add_ends(const Json* value, const fs::path& path, TurnEnds& ends, std::vector<std::string>& warnings) {
  if (value == nullptr) return false;
  bool any = false;
  const auto add = [&](const Json& one) {
    if (const auto id = token_id(one)) {
      ends.ids.push_back(*id);
      any = true;
    } else if (!one.is_number() || one.get<double>() >= 0) {  // a negative one means none
      warnings.push_back(str_cat("expected token ids as eos_token_id, got ", one.type_name(), " in ", path_text(path)));
    }
  };
  if (!value->is_array()) {
    add(*value);
  } else {
    for (const Json& one : *value) add(one);
  }
  return any;
}

// Takes a number of one of the fields, where it lies in [least, most].
class FieldReader {
 public:
  FieldReader(std::string source, std::vector<std::string>& warnings)
      : source_(std::move(source)), warnings_(warnings) {}

  template <class T>
  void set(std::string_view name, double value, double least, double most, std::optional<T>& field) const {
    if (value >= least && value <= most) {
      field = static_cast<T>(value);
    } else {
      warnings_.push_back(str_cat("expected ", name, " from ", least, " to ", most, ", got ", value, " in ", source_,
                                  "; it is left out"));
    }
  }

 private:
  std::string source_;
  std::vector<std::string>& warnings_;
};

// Numbers below 1 turn these off, as people write -1 and 0 for it.
double or_off(double value, double off) { return value <= 0 ? off : value; }

constexpr double kMostInt = std::numeric_limits<int>::max();

}  // namespace

HfTokenIds read_hf_token_ids(const fs::path& folder, std::vector<std::string>& warnings) {
  HfTokenIds ids;
  std::vector<std::string> ignored;  // config.json is read, and refused, by the reader of the weights
  const fs::path config_path = folder / "config.json";
  const Json config = read_object(config_path, ignored);
  const Json* text = find_member(config, "text_config");
  const auto member = [&](const char* name) {
    const Json* own = find_member(config, name);
    return own == nullptr && text != nullptr ? find_member(*text, name) : own;
  };
  if (const Json* bos = member("bos_token_id")) ids.bos = token_id(*bos);
  const Json* eos = member("eos_token_id");
  add_ends(eos, config_path, ids.ends, warnings);
  const fs::path generation_path = folder / "generation_config.json";
  const Json generation = read_object(generation_path, ignored);  // warned of by read_hf_sampling
  const bool more = add_ends(find_member(generation, "eos_token_id"), generation_path, ids.ends, warnings);
  ids.ends.complete = more || (eos != nullptr && eos->is_array() && !ids.ends.ids.empty());
  return ids;
}

SamplingDefaults read_hf_sampling(const fs::path& folder, std::vector<std::string>& warnings) {
  const fs::path path = folder / "generation_config.json";
  const Json config = read_object(path, warnings);
  SamplingDefaults defaults;
  const FieldReader reader(path_text(path), warnings);
  const auto number = [&](const char* name) -> std::optional<double> {
    const Json* value = find_member(config, name);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->get<double>();
  };
  if (const auto x = number("temperature")) reader.set("temperature", *x, 0, kMostTemperature, defaults.temperature);
  if (const auto x = number("top_k")) reader.set("top_k", or_off(*x, 0), 0, kMostInt, defaults.top_k);
  if (const auto x = number("top_p")) reader.set("top_p", or_off(*x, 1), 0, 1, defaults.top_p);
  if (const auto x = number("min_p")) reader.set("min_p", *x, 0, 1, defaults.min_p);
  if (const auto x = number("repetition_penalty")) {
    reader.set("repetition_penalty", *x, 0.01, kMostPenalty, defaults.repeat_penalty);
  }
  if (!flag_of(config, "do_sample", true)) defaults.temperature = 0.0F;
  return defaults;
}

SamplingDefaults read_gguf_sampling(const Metadata& metadata, std::vector<std::string>& warnings) {
  SamplingDefaults defaults;
  const FieldReader reader(metadata.source(), warnings);
  const auto number = [&](const char* name) -> std::optional<double> {
    try {
      return metadata.number(str_cat("general.sampling.", name));
    } catch (const Error& error) {
      warnings.push_back(str_cat(error.what(), "; it is left out"));
      return std::nullopt;
    }
  };
  if (const auto x = number("temp")) reader.set("temperature", *x, 0, kMostTemperature, defaults.temperature);
  if (const auto x = number("top_k")) reader.set("top_k", or_off(*x, 0), 0, kMostInt, defaults.top_k);
  if (const auto x = number("top_p")) reader.set("top_p", or_off(*x, 1), 0, 1, defaults.top_p);
  if (const auto x = number("min_p")) reader.set("min_p", *x, 0, 1, defaults.min_p);
  if (const auto x = number("penalty_repeat")) {
    reader.set("penalty_repeat", *x, 0.01, kMostPenalty, defaults.repeat_penalty);
  }
  if (const auto x = number("penalty_last_n")) {
    if (*x >= 0) reader.set("penalty_last_n", *x, 0, kMostInt, defaults.repeat_window);  // -1: all of the context
  }
  return defaults;
}

}  // namespace emelex
