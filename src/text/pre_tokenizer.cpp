#include "text/pre_tokenizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/regex.h"
#include "text/utf8.h"

namespace emelex {
namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Each digit on its own, then kGpt2 on what is between: in one pass, as a digit ends a run of spaces like the end of
// the text does.
constexpr std::string_view kDigitsThenGpt2 =
    R"(\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+)";

constexpr std::string_view kGpt4 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kTekken = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                     R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// DeepSeek-V3's third pattern; digits by threes and runs of Han and kana come before it.
constexpr std::string_view kDeepSeekV3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const std::vector<PreTokenizerRule>& rules() {
  static const std::vector<PreTokenizerRule> table = {
      {{"gpt-2", "phi-2"}, {kGpt2}},
      {{"smollm", "starcoder", "refact"}, {kDigitsThenGpt2}},
      {{"llama-bpe", "llama3", "llama-v3"}, {kGpt4}, false, true, true},
      {{"dbrx", "smaug-bpe"}, {kGpt4}},
      {{"qwen2"}, {kQwen2}, true},
      {{"gpt-4o", "llama4"}, {kGpt4o}},
      {{"tekken"}, {kTekken}, false, true, true},
      {{"deepseek-v3"}, {R"(\p{N}{1,3})", R"([一-龥\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)", kDeepSeekV3}},
  };
  return table;
}

const PreTokenizerRule& find_rule(std::string_view name, const std::string& source) {
  if (const PreTokenizerRule* rule = find_pre_tokenizer_rule(name)) return *rule;
  std::string known;
  for (const PreTokenizerRule& rule : rules()) {
    for (const std::string_view candidate : rule.names) known += str_cat(known.empty() ? "" : ", ", candidate);
  }
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected tokenizer.ggml.pre to be one of (", known,
                                              "), got ", quote_bytes(name), " in ", source));
}

// utf8proc takes quadratic time to order a run of combining marks. Nothing that people write has more than this many;
// text that does is left as it is.
constexpr int kMostMarksInARow = 1024;

// Whether normalization can change anything, and is safe to do.
bool needs_normalization(std::string_view text) {
  bool past_latin = false;  // every character under U+0300 is its own composed form
  int marks = 0;
  for (size_t position = 0; position < text.size();) {
    const Utf8Char character = utf8_at(text, position);
    position += character.length;
    if (character.code_point < 0x300) {
      marks = 0;
      continue;
    }
    past_latin = true;
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(character.code_point));
    marks = property->combining_class == 0 ? 0 : marks + 1;
    if (marks > kMostMarksInARow) return false;
  }
  return past_latin;
}

// The composed form of one stretch of valid UTF-8.
std::string compose(std::string_view text) {
  utf8proc_uint8_t* raw = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &raw, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> composed(raw, &std::free);
  if (length < 0) {
    throw Error(ErrorCode::internal, str_cat("[tokenizer] normalization failed: ", utf8proc_errmsg(length)));
  }
  return std::string(reinterpret_cast<const char*>(composed.get()), static_cast<size_t>(length));
}

}  // namespace

PreTokenizerParts parts_of(const PreTokenizerRule& rule) {
  PreTokenizerParts parts;
  parts.nfc = rule.nfc;
  parts.whole_words = rule.whole_words;
  parts.gpt2 = rule.patterns.front() == kGpt2 || rule.patterns.front() == kDigitsThenGpt2;
  parts.digits = rule.patterns.front() == kDigitsThenGpt2;
  if (!parts.gpt2) parts.patterns.assign(rule.patterns.begin(), rule.patterns.end());
  return parts;
}

std::string_view pre_tokenizer_named_by(const PreTokenizerParts& parts) {
  for (const PreTokenizerRule& rule : rules()) {
    if (parts_of(rule) == parts) return rule.names.front();
  }
  return {};
}

const PreTokenizerRule* find_pre_tokenizer_rule(std::string_view name) {
  for (const PreTokenizerRule& rule : rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end()) return &rule;
  }
  return nullptr;
}

PreTokenizer::PreTokenizer(std::string_view name, const std::string& source) : rule_(&find_rule(name, source)) {
  for (const std::string_view pattern : rule_->patterns) stages_.push_back(std::make_unique<Regex>(pattern));
}

PreTokenizer::~PreTokenizer() = default;
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& words) const {
  if (stages_.size() == 1) return stages_.front()->split(text, words);
  std::vector<std::string_view> pieces = {text};
  for (const auto& stage : stages_) {
    std::vector<std::string_view> smaller;
    for (const std::string_view piece : pieces) stage->split(piece, smaller);
    pieces = std::move(smaller);
  }
  words.insert(words.end(), pieces.begin(), pieces.end());
}

std::string to_nfc(std::string_view text) {
  if (!needs_normalization(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    if (valid > 0) out += compose(text.substr(0, valid));
    if (valid < text.size()) out.push_back(text[valid]);
    text.remove_prefix(std::min(valid + 1, text.size()));
  }
  return out;
}

}  // namespace emelex
