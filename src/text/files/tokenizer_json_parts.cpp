#include "text/files/tokenizer_json_parts.h"

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/base64.h"
#include "text/files/tokenizer_json.h"
#include "text/pipeline/growth.h"
#include "text/pipeline/sentencepiece_normalizer.h"

namespace emelex {
namespace {

using Kind = Decoder::Step::Kind;

// A regular expression that matches a text as it is.
std::string literal_pattern(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && !std::isalnum(byte)) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

size_t count_of(const Json& step, std::string_view key) {
  const Json* value = find_member(step, key);
  return value != nullptr && value->is_number_unsigned() ? static_cast<size_t>(value->get<uint64_t>()) : 0;
}

}  // namespace

void JsonParts::fail_unsupported(std::string_view expected, std::string_view got) const {
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected ", expected, ", got ", got, " in ", source_));
}

void JsonParts::fail_corrupt(std::string_view expected, std::string_view got) const {
  throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", expected, ", got ", got, " in ", source_));
}

std::string JsonParts::inserted(const Json& step, std::string_view key) const {
  std::string text = text_of(step, key);
  if (text.size() <= kLongestInserted) return text;
  fail_unsupported(str_cat(key, " of at most ", kLongestInserted, " bytes"), str_cat(text.size()));
}

std::string JsonParts::mark_of(const Json& step) const {
  const std::string mark = inserted(step, "replacement");
  return mark.empty() ? kSpaceMark : mark;
}

void JsonParts::check_steps(const std::vector<const Json*>& steps, std::string_view part) const {
  if (steps.size() > kMostSteps)
    fail_unsupported(str_cat("at most ", kMostSteps, " steps of a ", part), str_cat(steps.size()));
}

std::unique_ptr<const Regex> JsonParts::pattern_of(const Json& step) const {
  const Json* pattern = find_member(step, "pattern");
  if (pattern != nullptr && find_member(*pattern, "Regex") != nullptr) {
    return std::make_unique<Regex>(text_of(*pattern, "Regex"), Regex::From::file, source_);
  }
  const std::string text = pattern == nullptr     ? ""
                           : pattern->is_string() ? pattern->get<std::string>()
                                                  : text_of(*pattern, "String");
  if (text.empty()) fail_corrupt("a pattern of a text or a Regex", "none");
  return std::make_unique<Regex>(literal_pattern(text), Regex::From::file, source_);
}

NormalizerPtr JsonParts::precompiled_step(const Json& step) const {
  const auto blob = decode_base64(text_of(step, "precompiled_charsmap"));
  if (!blob) fail_corrupt("precompiled_charsmap in base64", "something else");
  if (blob->empty()) return make_sequence(std::vector<NormalizerPtr>());
  return make_precompiled(std::make_shared<const Charsmap>(*blob, source_));
}

NormalizerPtr JsonParts::normalizer_step(const Json& step) const {
  const std::string type = text_of(step, "type");
  if (type == "NFC") return make_normalization(NormalizationForm::nfc);
  if (type == "NFD") return make_normalization(NormalizationForm::nfd);
  if (type == "NFKC") return make_normalization(NormalizationForm::nfkc);
  if (type == "NFKD") return make_normalization(NormalizationForm::nfkd);
  if (type == "Lowercase") return make_lowercase();
  if (type == "StripAccents") return make_strip_accents();
  if (type == "Strip") return make_strip(flag_of(step, "strip_left", true), flag_of(step, "strip_right", true));
  if (type == "Prepend") return make_prepend(inserted(step, "prepend"));
  if (type == "Nmt") return make_nmt();
  if (type == "ByteLevel") return make_byte_level();
  if (type == "Precompiled") return precompiled_step(step);
  if (type == "Replace") {
    const Json* pattern = find_member(step, "pattern");
    const std::string content = inserted(step, "content");
    if (pattern != nullptr && find_member(*pattern, "String") != nullptr) {
      return make_replace(text_of(*pattern, "String"), content);
    }
    return make_replace_matches(pattern_of(step), content);
  }
  if (type == "BertNormalizer") {
    BertOptions options;
    options.clean_text = flag_of(step, "clean_text", true);
    options.spaces_around_han = flag_of(step, "handle_chinese_chars", true);
    options.lowercase = flag_of(step, "lowercase", true);
    options.strip_accents = flag_of(step, "strip_accents", options.lowercase);
    return make_bert(options);
  }
  fail_unsupported("a normalizer that emelex has", quote_bytes(type));
}

NormalizerPtr JsonParts::normalizer(const std::vector<const Json*>& steps) const {
  check_steps(steps, "normalizer");
  if (steps.empty()) return nullptr;
  std::vector<NormalizerPtr> made;
  for (const Json* step : steps) made.push_back(normalizer_step(*step));
  return make_sequence(std::move(made));
}

SplitBehavior JsonParts::behavior_of(const Json& step) const {
  const std::string name = text_of(step, "behavior");
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated" || name.empty()) return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  fail_unsupported("a behavior of a split that emelex has", quote_bytes(name));
}

PrependScheme JsonParts::scheme_of(const Json& step) const {
  const std::string name = text_of(step, "prepend_scheme");
  if (name == "always") return PrependScheme::always;
  if (name == "first") return PrependScheme::first;
  if (name == "never") return PrependScheme::never;
  if (!name.empty()) fail_unsupported("a prepend_scheme that emelex has", quote_bytes(name));
  return flag_of(step, "add_prefix_space", true) ? PrependScheme::always : PrependScheme::never;
}

PreTokenizerPtr JsonParts::metaspace_step(const Json& step) const {
  return make_metaspace(mark_of(step), scheme_of(step), flag_of(step, "split", true));
}

PreTokenizerPtr JsonParts::split_step(const Json& step) const {
  return make_split(pattern_of(step), behavior_of(step), flag_of(step, "invert", false));
}

void JsonParts::add_pre_tokenizer(const Json& step, bool is_last_bytes, std::vector<PreTokenizerPtr>& steps) const {
  using enum SplitBehavior;
  const std::string type = text_of(step, "type");
  if (type == "ByteLevel") {
    if (flag_of(step, "add_prefix_space", false)) steps.push_back(make_space_prefix());
    if (flag_of(step, "use_regex", true)) steps.push_back(make_split(kGpt2Pattern, isolated));
    if (!is_last_bytes) steps.push_back(make_byte_characters());
  } else if (type == "Split") {
    steps.push_back(split_step(step));
  } else if (type == "Digits") {
    steps.push_back(make_split(R"(\p{N})", flag_of(step, "individual_digits", false) ? isolated : contiguous));
  } else if (type == "Metaspace") {
    steps.push_back(metaspace_step(step));
  } else if (type == "Whitespace") {
    constexpr std::string_view kWords = R"((?:\w|[\x{200c}\x{200d}])+|(?:(?![\x{200c}\x{200d}])[^\w\s])+)";
    steps.push_back(make_split(std::make_unique<Regex>(kWords), removed, true));
  } else if (type == "WhitespaceSplit") {
    steps.push_back(make_split(R"(\s)", removed));
  } else if (type == "Punctuation") {
    steps.push_back(make_split(R"([\p{P}!-/:-@\[-`{-~])", behavior_of(step)));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(make_bert_words());
  } else if (type == "CharDelimiterSplit") {
    const std::string delimiter = text_of(step, "delimiter");
    if (delimiter.empty()) fail_corrupt("a delimiter of one character", "none");
    steps.push_back(make_split(literal_pattern(delimiter), removed));
  } else {
    fail_unsupported("a pre_tokenizer that emelex has", quote_bytes(type));
  }
}

PreTokenizerPtr JsonParts::pre_tokenizer(const std::vector<const Json*>& steps, bool bytes_last) const {
  check_steps(steps, "pre_tokenizer");
  std::vector<PreTokenizerPtr> made;
  for (const Json* step : steps) add_pre_tokenizer(*step, bytes_last && step == steps.back(), made);
  if (made.empty()) return nullptr;
  return make_sequence(std::move(made));
}

Decoder JsonParts::decoder(const std::vector<const Json*>& steps) const {
  check_steps(steps, "decoder");
  // Without one, the library joins tokens by spaces.
  if (steps.empty()) return Decoder({{Kind::space_before, "", ""}});
  std::vector<Decoder::Step> made;
  Decoder::First first = Decoder::First::nothing;
  bool fused = false;  // from here on a step sees the text as a whole
  for (const Json* step : steps) {
    const std::string type = text_of(*step, "type");
    if (type == "ByteLevel") {
      made.push_back({Kind::byte_level, "", ""});
    } else if (type == "ByteFallback") {
      made.push_back({Kind::byte_fallback, "", ""});
    } else if (type == "Fuse") {
      fused = true;
    } else if (type == "Replace") {
      const Json* pattern = find_member(*step, "pattern");
      const std::string from = pattern == nullptr ? "" : text_of(*pattern, "String");
      if (from.empty()) fail_unsupported("a decoder that replaces a text", "a pattern");
      made.push_back({Kind::replace, from, inserted(*step, "content")});
    } else if (type == "Strip") {
      const size_t left = count_of(*step, "start");
      const size_t right = count_of(*step, "stop");
      if (!fused) {
        made.push_back({Kind::strip, text_of(*step, "content"), "", left, right});
      } else if (left <= 1 && right == 0 && text_of(*step, "content") == " ") {
        if (left == 1) first = Decoder::First::one_space;
      } else {
        fail_unsupported("a decoder that strips one space from the beginning of a text", "another");
      }
    } else if (type == "Metaspace") {
      made.push_back({Kind::replace, mark_of(*step), " "});
      if (scheme_of(*step) != PrependScheme::never) first = Decoder::First::all_spaces;
    } else if (type == "WordPiece") {
      made.push_back({Kind::word_piece, text_of(*step, "prefix"), ""});
      if (flag_of(*step, "cleanup", true)) made.push_back({Kind::clean_up, "", ""});
    } else {
      fail_unsupported("a decoder that emelex has", quote_bytes(type));
    }
  }
  return Decoder(std::move(made), first);
}

}  // namespace emelex
