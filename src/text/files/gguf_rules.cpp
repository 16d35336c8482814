#include "text/files/gguf_rules.h"

#include <algorithm>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/pipeline/sentencepiece_normalizer.h"

namespace emelex {
namespace {

// Each digit on its own, then GPT-2's pattern on what is between: in one pass, as a digit ends a run of spaces like the
// end of the text does.
constexpr std::string_view kDigitsThenGpt2 =
    R"(\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+)";

constexpr std::string_view kGpt4 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Qwen 2's without English contractions, so that Turkish suffixes stay with their apostrophes.
constexpr std::string_view kUfakzeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";

// Words of several letters groups that single spaces join.
constexpr std::string_view kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";

// Runs of white space by powers of two.
constexpr std::string_view kJais2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S))"
    R"(|\s{1,2}(?!\S)|\s{1})";

constexpr std::string_view kMiniCpm5 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kTekken = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                     R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// GPT-4o's with single digits.
constexpr std::string_view kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kYoutuScripts =
    R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)";

// Kimi K2's: like GPT-4o's, with Han characters apart. Han are those of that script alone.
#define EMELEX_HAN                                                                                              \
  R"(\x{2e80}-\x{2e99}\x{2e9b}-\x{2ef3}\x{2f00}-\x{2fd5}\x{3005}\x{3007}\x{3021}-\x{3029}\x{3038}-\x{303b})"    \
  R"(\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{fa6d}\x{fa70}-\x{fad9}\x{16fe2}\x{16fe3}\x{16ff0}\x{16ff1})" \
  R"(\x{20000}-\x{2a6df}\x{2a700}-\x{2b739}\x{2b740}-\x{2b81d}\x{2b820}-\x{2cea1}\x{2ceb0}-\x{2ebe0})"          \
  R"(\x{2f800}-\x{2fa1d}\x{30000}-\x{3134a}\x{31350}-\x{323af})"
constexpr std::string_view kKimiK2 = "[" EMELEX_HAN
                                     "]+"
                                     "|[^\\r\\n\\p{L}\\p{N}]?(?:(?![" EMELEX_HAN
                                     "])[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}])*"
                                     "(?:(?![" EMELEX_HAN
                                     "])[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                                     "|[^\\r\\n\\p{L}\\p{N}]?(?:(?![" EMELEX_HAN
                                     "])[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}])+"
                                     "(?:(?![" EMELEX_HAN
                                     "])[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                                     "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
#undef EMELEX_HAN

// DeepSeek-V3's third pattern; digits by threes and runs of Han and kana come before it.
constexpr std::string_view kDeepSeekV3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kSpark25 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr std::string_view kHanAndKana = R"([一-龥\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)";

// DeepSeek-LLM's letters: those that have case, but for a few.
constexpr std::string_view kDeepSeekLetters =
    R"(\s?[)"
    R"(A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af}\x{370}-)"
    R"(\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5})"
    R"(\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-)"
    R"(\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-)"
    R"(\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d})"
    R"(\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-)"
    R"(\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115})"
    R"(\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f})"
    R"(\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2})"
    R"(\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-)"
    R"(\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-)"
    R"(\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
    R"(]+)";
constexpr std::string_view kDeepSeekPunctuation = R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)";
constexpr std::string_view kHanAndHangul = R"([一-龥\x{800}-一가-\x{d7ff}]+)";

constexpr std::string_view kFalconPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kDefaultPunctuation = R"([\p{P}\$\+<=>\^~\|]+)";

constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

// Digits by threes, counted from their end.
constexpr std::string_view kThreesFromTheEnd = R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))";

constexpr std::string_view kAfmoeScripts =
    R"([一-鿿㐀-䶿豈-\x{faff}\x{3040}-ゟ゠-ヿ･-ﾟ⼀-\x{2fdf}เ-\x{e7f}\x{e80}-\x{eff}ក-\x{17ff}က-႟ꩠ-ꩿꧠ-\x{a9ff}가-\x{d7af}ᄀ-ᇿ]+)";

constexpr std::string_view kLines = R"([^\n]+|[\n]+)";

std::vector<PreTokenizerRule> make_rules() {
  std::vector<PreTokenizerRule> table;
  const auto add = [&](std::vector<std::string_view> names,
                       std::vector<std::string_view> patterns) -> PreTokenizerRule& {
    return table.emplace_back(PreTokenizerRule{std::move(names), std::move(patterns)});
  };
  const auto add_whole = [&](std::vector<std::string_view> names, std::vector<std::string_view> patterns) {
    add(std::move(names), std::move(patterns)).whole_words = true;
  };
  add({"gpt-2", "phi-2", "mpt", "olmo", "jais", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de",
       "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "mellum", "modern-bert", "trillion", "granite-docling",
       "exaone4"},
      {kGpt2Pattern});
  add({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
      {kDigitsThenGpt2});
  PreTokenizerRule& llama3 =
      add({"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
          {kGpt4});
  llama3.whole_words = llama3.adds_bos = true;
  add({"dbrx", "smaug-bpe", "chatglm-bpe"}, {kGpt4});
  add_whole({"glm4", "glm5"}, {kGpt4});
  add({"qwen2"}, {kQwen2}).nfc = true;
  add({"qwen35"}, {kQwen35}).nfc = true;
  add({"deepseek-r1-qwen", "stablelm2", "kormo", "f2llmv2", "megrez", "hunyuan", "solar-open", "grok-2"}, {kQwen2});
  add({"ufakzeka"}, {kUfakzeka});
  add({"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {kGpt4o});
  add_whole({"granite-embed-multi-97m"}, {kGpt4o});
  PreTokenizerRule& tekken = add({"tekken"}, {kTekken});
  tekken.whole_words = tekken.adds_bos = true;
  add({"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, {R"(\p{N}{1,3})", kHanAndKana, kDeepSeekV3});
  add({"deepseek-llm"}, {R"([\r\n])", kDeepSeekLetters, kDeepSeekPunctuation, R"(\s+$)", kHanAndHangul, R"(\p{N}+)"});
  add({"deepseek-coder"}, {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kHanAndHangul, R"(\p{N})"});
  add({"spark2_5"}, {R"(\p{N}{1,3})", kHanAndKana, kSpark25, R"(\p{N})"});
  add_whole({"youtu"}, {kYoutuScripts, kYoutu});
  add({"falcon"}, {kFalconPunctuation, kGpt2Pattern, "[0-9][0-9][0-9]"});
  add({"bloom", "poro-chat", "gpt3-finnish"}, {kBloom});
  add({"viking"}, {kBloom, R"(\p{N})"});
  add({"tiny_aya", "cohere2moe"}, {kThreesFromTheEnd, kGpt4o});
  add({"afmoe"}, {kThreesFromTheEnd, kAfmoeScripts, kDeepSeekV3});
  add({"superbpe"}, {R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))"});
  add({"kimi-k2"}, {kKimiK2});
  add({"bailingmoe", "bailingmoe2", "llada-moe"}, {kBailing});
  add({"seed-coder"}, {kSeedCoder});
  add({"exaone-moe"}, {kExaoneMoe});
  add({"laguna"}, {kLines, kQwen2});
  add({"jais-2"}, {kJais2});
  add_whole({"minicpm5"}, {R"(\p{N}{1,3})", kMiniCpm5});
  add({"chameleon"}, {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"([\t\n]|    |  )", R"(\p{N})",
                      R"([\p{P}!-/:-@\[-`{-~])", kGpt2Pattern})
      .adds_bos = true;
  PreTokenizerRule& gemma4 = add({"gemma4", "granite-embed-multi-311m"}, {kLines});
  gemma4.marks_spaces = gemma4.always_adds_bos = true;
  add({"sarvam-moe"}, {kLines}).marks_spaces = true;
  add({"default"}, {kDefaultPunctuation, kGpt2Pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"});
  return table;
}

const std::vector<PreTokenizerRule>& rules() {
  static const std::vector<PreTokenizerRule> table = make_rules();
  return table;
}

}  // namespace

const PreTokenizerRule& require_pre_tokenizer_rule(std::string_view name, const std::string& source) {
  if (const PreTokenizerRule* rule = find_pre_tokenizer_rule(name)) return *rule;
  std::string known;
  for (const PreTokenizerRule& rule : rules()) {
    for (const std::string_view candidate : rule.names) known += str_cat(known.empty() ? "" : ", ", candidate);
  }
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected tokenizer.ggml.pre to be one of (", known,
                                              "), got ", quote_bytes(name), " in ", source));
}

PreTokenizerParts parts_of(const PreTokenizerRule& rule) {
  PreTokenizerParts parts;
  parts.nfc = rule.nfc;
  parts.whole_words = rule.whole_words;
  parts.digits = rule.patterns.front() == kDigitsThenGpt2;
  parts.gpt2 = parts.digits || rule.patterns.back() == kGpt2Pattern;
  parts.patterns.assign(rule.patterns.begin(), rule.patterns.end() - (parts.gpt2 ? 1 : 0));
  return parts;
}

std::string_view pre_tokenizer_named_by(const PreTokenizerParts& parts) {
  for (const PreTokenizerRule& rule : rules()) {
    if (!rule.marks_spaces && parts_of(rule) == parts) return rule.names.front();
  }
  return {};
}

const PreTokenizerRule* find_pre_tokenizer_rule(std::string_view name) {
  for (const PreTokenizerRule& rule : rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end()) return &rule;
  }
  return nullptr;
}

PreTokenizerPtr make_pre_tokenizer(const PreTokenizerRule& rule) {
  std::vector<PreTokenizerPtr> steps;
  for (const std::string_view pattern : rule.patterns) steps.push_back(make_split(pattern, SplitBehavior::isolated));
  return make_sequence(std::move(steps));
}

NormalizerPtr make_normalizer(const PreTokenizerRule& rule) {
  if (rule.marks_spaces) return make_replace(" ", kSpaceMark);
  return rule.nfc ? make_normalization(NormalizationForm::nfc) : nullptr;
}

}  // namespace emelex
