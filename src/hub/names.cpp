#include "hub/names.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/strings.h"
#include "emelex/hub.h"

namespace emelex {
namespace {

constexpr size_t kMaxNameLength = 128;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_name_part(std::string_view part) {
  if (part.empty() || !is_letter_or_digit(part.front()) || !is_letter_or_digit(part.back())) return false;
  return std::all_of(part.begin(), part.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What publishers put before a quantization that is theirs: Unsloth's dynamic ones, and those weighted by a matrix.
constexpr std::array<std::string_view, 2> kMakers = {"ud", "i1"};

template <size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

// Windows opens a device for "nul" and for "nul.anything".
bool is_device_name(std::string_view name) {
  const std::string_view base = name.substr(0, name.find('.'));
  const bool numbered = base.size() == 4 && (base.starts_with("com") || base.starts_with("lpt")) && is_digit(base[3]);
  return numbered || is_one_of<4>(base, {"con", "prn", "aux", "nul"});
}

// Keeps what a name may hold; each run of anything else becomes one '-'.
std::string name_part(std::string_view text) {
  std::string part;
  for (char c : text) {
    const bool good = is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
    if (good) {
      part += c;
    } else if (!part.empty() && part.back() != '-') {
      part += '-';
    }
  }
  const auto trim = [](char c) { return !is_letter_or_digit(c); };
  while (!part.empty() && trim(part.back())) part.pop_back();
  part.erase(part.begin(), std::find_if_not(part.begin(), part.end(), trim));
  return part;
}

bool remove_suffix(std::string* text, std::string_view suffix) {
  if (text->size() <= suffix.size() || !std::string_view(*text).ends_with(suffix)) return false;
  text->resize(text->size() - suffix.size());
  return true;
}

// Levenshtein's distance: how many characters to change, add or drop.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

bool is_quantization(std::string_view text) {
  for (const std::string_view maker : kMakers) {
    if (text.size() > maker.size() && text.starts_with(maker) && text[maker.size()] == '-') {
      text.remove_prefix(maker.size() + 1);
    }
  }
  if (is_one_of<9>(text, {"f16", "fp16", "bf16", "f32", "fp32", "mxfp4", "mxfp4_moe", "nvfp4", "i2_s"})) return true;
  if (text.starts_with('i') || text.starts_with('t')) text.remove_prefix(1);
  if (text.size() < 2 || text[0] != 'q' || !is_digit(text[1])) return false;
  return text.size() == 2 ||
         (text.size() > 3 && text[2] == '_' &&
          std::all_of(text.begin() + 3, text.end(), [](char c) { return is_letter_or_digit(c) || c == '_'; }));
}

NameParts split_quantization(std::string_view stem) {
  constexpr std::string_view kBetween = ".- ";
  NameParts parts{std::string(stem), ""};
  for (size_t end = stem.size(); end > 0;) {
    const size_t before = stem.find_last_of(kBetween, end - 1);
    if (before == std::string_view::npos || before == 0) break;
    const std::string_view word = stem.substr(before + 1, end - before - 1);
    if (!is_quantization(word)) {
      end = before;
      continue;
    }
    // Who made it, and with which weighting, belongs to the quantization: "ud-q4_k_xl" is another file than "q4_k_xl".
    size_t begin = before;
    const size_t maker = stem.find_last_of(kBetween, before - 1);
    const std::string_view name = stem.substr(maker == std::string_view::npos ? 0 : maker + 1,
                                              before - (maker == std::string_view::npos ? 0 : maker + 1));
    const bool made = maker != std::string_view::npos && maker > 0 &&
                      std::find(kMakers.begin(), kMakers.end(), name) != kMakers.end();
    if (made) begin = maker;
    parts.quantization = made ? std::string(name) + "-" + std::string(word) : std::string(word);
    parts.base = stem.substr(0, begin);
    std::string_view rest = stem.substr(end);
    for (const std::string_view noise : {"imat", "imatrix"}) {
      if (rest.size() == noise.size() + 1 && rest.substr(1) == noise) rest = {};
    }
    parts.base += rest;
    break;
  }
  return parts;
}

std::string_view without_part_number(std::string_view stem) {
  constexpr std::string_view kPattern = "-00000-of-00000";
  if (stem.size() <= kPattern.size()) return stem;
  const std::string_view end = stem.substr(stem.size() - kPattern.size());
  const bool part = std::equal(end.begin(), end.end(), kPattern.begin(),
                               [](char c, char wanted) { return wanted == '0' ? is_digit(c) : c == wanted; });
  return part ? stem.substr(0, stem.size() - kPattern.size()) : stem;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string in_quotes(std::string_view text) {
  std::string safe = "'";
  for (char c : text) safe += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return safe + "'";
}

void check_model_name(std::string_view name) {
  const size_t colon = name.find(':');
  const bool good = name.size() <= kMaxNameLength && is_name_part(name.substr(0, colon)) &&
                    (colon == std::string_view::npos || is_name_part(name.substr(colon + 1))) && !is_device_name(name);
  if (!good) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected a model name of a-z, 0-9, '.', '_' and '-' such as 'my-model:q4_0', got ",
                        in_quotes(name.substr(0, kMaxNameLength))));
  }
}

void check_new_name(std::string_view name) {
  check_model_name(name);
  if (name != kDefaultFile) return;
  throw Error(ErrorCode::invalid_argument,
              "[hub] expected a name of its own, got 'default', which stands for the model "
              "that 'emelex default' chose; choose another name");
}

std::string derive_model_name(const std::filesystem::path& file, std::string_view quantization) {
  std::string stem = to_lower(file.filename().string());
  remove_suffix(&stem, ".gguf");
  stem = std::string(without_part_number(stem));
  remove_suffix(&stem, "-gguf");

  std::string type(quantization);
  if (NameParts parts = split_quantization(stem); !parts.quantization.empty()) {
    type = std::move(parts.quantization);
    stem = std::move(parts.base);
  }
  remove_suffix(&stem, "-gguf");

  type = name_part(to_lower(type));
  std::string name = name_part(stem).substr(0, kMaxNameLength - type.size() - 1);
  name = name_part(name);  // again: the cut may have left a '-' at the end
  if (name.empty()) name = "model";
  if (type.empty() && name == kDefaultFile) name += "-model";
  return type.empty() ? name : name + ":" + type;
}

std::string folder_of_name(std::string_view name) {
  std::string folder(name);
  std::replace(folder.begin(), folder.end(), ':', '+');
  return folder;
}

std::vector<std::string> similar_names(std::string_view wanted, const std::vector<std::string>& names) {
  const std::string lower = to_lower(wanted.substr(0, kMaxNameLength));
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& name : names) {
    // A name without its ':quant', or the beginning of one, is as good as a small slip.
    const bool part = lower.size() >= 3 && name.find(lower) != std::string::npos;
    const size_t without_type = edit_distance(lower, std::string_view(name).substr(0, name.find(':')));
    const size_t distance = part ? 0 : std::min(edit_distance(lower, name), without_type);
    if (distance <= std::max<size_t>(2, lower.size() / 3)) ranked.emplace_back(distance, name);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> best;
  for (size_t i = 0; i < std::min<size_t>(3, ranked.size()); ++i) best.push_back(ranked[i].second);
  return best;
}

}  // namespace emelex
