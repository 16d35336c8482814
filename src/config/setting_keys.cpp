#include "config/setting_keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>

#include "base/strings.h"
#include "hub/environment.h"
#include "hub/names.h"

namespace emelex {
namespace {

constexpr double kMaxInt = std::numeric_limits<int>::max();

[[noreturn]] void wrong(std::string_view expected, const std::string& text) {
  throw Error(ErrorCode::invalid_argument, str_cat("expected ", expected, ", got ", quote_bytes(text)));
}

// Whatever the user's locale writes numbers like.
std::optional<double> number_in(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  const bool whole = (in >> std::noskipws >> value) && in.peek() == std::istringstream::traits_type::eof();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

// The shortest text that reads back as the same number.
std::string number_text(float value) {
  std::string text;
  for (int digits = 1; digits <= std::numeric_limits<float>::max_digits10; ++digits) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    text = out.str();
    if (static_cast<float>(number_in(text).value_or(0)) == value) break;
  }
  return text;
}

struct Unit {
  std::string_view name;  // after which a "b" may stand
  double bytes;
};
constexpr std::array<Unit, 8> kUnits = {Unit{"ti", 1LL << 40}, {"gi", 1 << 30}, {"mi", 1 << 20}, {"ki", 1 << 10},
                                        {"t", 1e12},           {"g", 1e9},      {"m", 1e6},      {"k", 1e3}};

int64_t bytes_in(const std::string& text) {
  std::string number = to_lower(text);
  const auto drop_end = [&number](std::string_view end) {
    if (!number.ends_with(end)) return false;
    number.resize(number.size() - end.size());
    return true;
  };
  drop_end("b");
  double unit = 1;
  for (const Unit& known : kUnits) {
    if (unit == 1 && drop_end(known.name)) unit = known.bytes;
  }
  while (drop_end(" ")) continue;
  const auto value = number_in(number);
  if (!value || *value < 0 || *value * unit > 1e18) wrong("a size such as '6GB' or '512MiB'", text);
  return static_cast<int64_t>(std::llround(*value * unit));
}

// In the unit that makes it the smallest whole number.
std::string bytes_text(int64_t bytes) {
  int64_t best = bytes;
  std::string text = str_cat(bytes);
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<int64_t>(unit.bytes);
    if (bytes == 0 || bytes % size != 0 || bytes / size >= best) continue;
    best = bytes / size;
    std::string name(unit.name);
    if (name != "k") name[0] = static_cast<char>(name[0] - 'a' + 'A');
    text = str_cat(best, name, "B");
  }
  return text;
}

// Sets each kind of field.
struct Setter {
  const SettingKey& key;
  const std::string& text;

  void operator()(std::string* field) const {
    const auto& choices = key.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
      std::string names;
      for (size_t i = 0; i < choices.size(); ++i) {
        names += (i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ") + std::string(choices[i]);
      }
      wrong(names, text);
    }
    *field = text;
  }
  void operator()(int* field) const {
    check_number();
    const auto result = std::from_chars(text.data(), text.data() + text.size(), *field);
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) wrong("a whole number", text);
  }
  void operator()(float* field) const {
    check_number();
    *field = static_cast<float>(number_in(text).value());
  }
  void operator()(bool* field) const {
    const auto value = yes_or_no(text);
    if (!value) wrong("true or false", text);
    *field = *value;
  }
  void operator()(ByteCount* field) const { field->bytes = bytes_in(text); }
  void operator()(std::filesystem::path* field) const {
    const bool at_home = text.starts_with("~/");
    const std::filesystem::path home = home_folder();
    if (at_home && home.empty()) wrong("HOME to be set, for '~/'", text);
    *field = at_home ? home / text.substr(2) : std::filesystem::path(text);
  }

 private:
  void check_number() const {
    const std::string problem = number_problem(text, key.least, key.most, key.open);
    if (!problem.empty()) throw Error(ErrorCode::invalid_argument, problem);
  }
};

struct Shower {
  std::string operator()(const std::string* field) const { return *field; }
  std::string operator()(const int* field) const { return str_cat(*field); }
  std::string operator()(const float* field) const { return number_text(*field); }
  std::string operator()(const bool* field) const { return *field ? "true" : "false"; }
  std::string operator()(const ByteCount* field) const { return bytes_text(field->bytes); }
  std::string operator()(const std::filesystem::path* field) const { return field->string(); }
};

}  // namespace

const std::vector<SettingKey>& setting_keys() {
  using Field = SettingField;
  static const std::vector<SettingKey> table = {
      {"model", [](Settings& s) -> Field { return &s.model; }, "The model that is meant where none is named"},
      {"quantization", [](Settings& s) -> Field { return &s.quantization; },
       "What to pull where there are several and none is named, such as q5_k_m; empty: q4_k_m, else q4_0"},
      {"models_dir", [](Settings& s) -> Field { return &s.models_dir; }, "Where models lie"},
      {"auto_pull", [](Settings& s) -> Field { return &s.auto_pull; }, "Pull a model that is not here without asking"},
      {"context", [](Settings& s) -> Field { return &s.context; },
       "Tokens that a conversation can hold; 0: the model's, at most 8192", 0, kMaxInt},
      {"threads", [](Settings& s) -> Field { return &s.threads; }, "Threads that compute; 0: one per physical core", 0,
       kMostThreads},
      {"device", [](Settings& s) -> Field { return &s.device; }, "What computes", 0, 0, false, {"auto", "cpu", "gpu"}},
      {"kv_type",
       [](Settings& s) -> Field { return &s.kv_type; },
       "How the KV cache stores numbers",
       0,
       0,
       false,
       {"auto", "f16", "f32", "q8_0"}},
      {"memory_limit", [](Settings& s) -> Field { return &s.memory_limit; },
       "Memory that a model on the CPU may take, such as 6GB; 0: all there is"},
      {"gpu_memory_limit", [](Settings& s) -> Field { return &s.gpu_memory_limit; },
       "Memory that a model on a GPU may take there, such as 6GB; 0: all there is"},
      {"gpu_float16_copy", [](Settings& s) -> Field { return &s.gpu_float16_copy; },
       "Keep weights as float16, too, on a GPU with memory to spare: faster prompts and many sequences"},
      {"temperature", [](Settings& s) -> Field { return &s.sampling.temperature; },
       "Randomness; 0: always the likeliest token", 0, 100},
      {"top_p", [](Settings& s) -> Field { return &s.sampling.top_p; },
       "Keep the likeliest tokens that add up to this probability; 1: off", 0, 1, true},
      {"top_k", [](Settings& s) -> Field { return &s.sampling.top_k; }, "Keep the K likeliest tokens; 0: off", 0,
       kMaxInt},
      {"min_p", [](Settings& s) -> Field { return &s.sampling.min_p; },
       "Drop tokens less likely than this part of the likeliest; 0: off", 0, 1},
      {"repeat_penalty", [](Settings& s) -> Field { return &s.sampling.repeat_penalty; },
       "Makes recent tokens less likely; 1: off", 0, 100, true},
      {"idle_unload", [](Settings& s) -> Field { return &s.idle_unload; },
       "Seconds without a request after which a server lets a model go; 0: never. Used once there is a server", 0,
       kMaxInt},
  };
  return table;
}

const SettingKey& find_setting(std::string_view name) {
  std::vector<std::string> names;
  for (const SettingKey& key : setting_keys()) {
    if (key.name == name) return key;
    names.emplace_back(key.name);
  }
  std::string similar;
  for (const std::string& other : similar_names(name, names)) similar += (similar.empty() ? "" : ", ") + other;
  throw Error(ErrorCode::invalid_argument,
              str_cat("there is no setting ", quote_bytes(name),
                      similar.empty() ? "; 'emelex config' shows all" : "; did you mean " + similar + "?"));
}

std::string environment_name(const SettingKey& key) {
  std::string name = "EMELEX_";
  for (const char c : key.name) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::string flag_name(const SettingKey& key) {
  std::string name = "--" + std::string(key.name);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void set_setting(const SettingKey& key, const std::string& text, Settings& settings) {
  std::visit(Setter{key, text}, key.field(settings));
  settings.quantization = to_lower(settings.quantization);
  if (!settings.quantization.empty() && !is_quantization(settings.quantization)) {
    wrong("a quantization such as q4_k_m", text);
  }
}

std::string setting_text(const SettingKey& key, const Settings& settings) {
  Settings copy = settings;  // fields are for setting, too
  return std::visit(Shower(), key.field(copy));
}

std::string number_problem(const std::string& text, double least, double most, bool open) {
  const auto value = number_in(text);
  if (value && *value <= most && (open ? *value > least : *value >= least)) return "";
  const std::string end = most >= kMaxInt ? " up" : str_cat(" to ", most);
  return str_cat("expected a number ", open ? "above " : "from ", least, end, ", got '", text, "'");
}

}  // namespace emelex
