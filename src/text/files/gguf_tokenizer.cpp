#include "text/files/gguf_tokenizer.h"

#include <array>
#include <cctype>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_rules.h"
#include "text/files/turn_ends.h"
#include "text/models/bpe.h"
#include "text/models/word_piece.h"
#include "text/vocabulary/control_names.h"

namespace emelex {
namespace {

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";
constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr std::string_view kPreKey = "tokenizer.ggml.pre";
constexpr std::string_view kBosKey = "tokenizer.ggml.bos_token_id";

std::vector<TokenType> read_types(const TokenizerSource& source, size_t n_tokens) {
  const auto numbers = source.keys().integers(kTypesKey);
  const auto fail = [&](const auto& got) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kTypesKey, " to have ", n_tokens,
                        " numbers from 1 to 6, one for each of ", kTokensKey, ", got ", got, " in ", source.where()));
  };
  if (!numbers) fail("none");
  if (numbers->size() != n_tokens) fail(str_cat(numbers->size(), " numbers"));
  std::vector<TokenType> types;
  types.reserve(n_tokens);
  for (const int64_t number : *numbers) {
    if (number < 1 || number > 6) fail(number);
    types.push_back(static_cast<TokenType>(number));
  }
  return types;
}

// The two tokens of a line, which one space parts.
Bpe::MergeNames split_merge(std::string_view line, size_t rank, const TokenizerSource& source) {
  const size_t space = line.find(' ');
  const bool is_two = space != std::string_view::npos && space > 0 && space + 1 < line.size();
  if (!is_two || line.find(' ', space + 1) != std::string_view::npos) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected two tokens parted by one space, got ", quote_bytes(line), " as merge ",
                        rank, " of ", kMergesKey, " in ", source.where()));
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

std::vector<Bpe::MergeNames> read_merges(const TokenizerSource& source) {
  const auto* lines = source.keys().strings(kMergesKey);
  if (lines == nullptr) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kMergesKey, ", got none in ", source.where()));
  }
  std::vector<Bpe::MergeNames> merges;
  merges.reserve(lines->size());
  for (const std::string& line : *lines) merges.push_back(split_merge(line, merges.size(), source));
  return merges;
}

// The model, with the order of ids in place of merges where a file has none to have.
std::unique_ptr<const TokenModel> make_bpe(const TokenizerSource& source, const Vocabulary& vocabulary,
                                           Bpe::Options options) {
  const bool has_none = source.keys().string(kPreKey) == "kimi-k2" && !source.keys().contains(kMergesKey);
  if (source.ranks_are_ids || has_none) {
    std::vector<uint32_t> ranks(static_cast<size_t>(vocabulary.size()));
    for (size_t id = 0; id < ranks.size(); ++id) ranks[id] = static_cast<uint32_t>(id);
    return std::make_unique<Bpe>(vocabulary, std::move(ranks), std::move(options));
  }
  return std::make_unique<Bpe>(vocabulary, read_merges(source), std::move(options),
                               TokenSource{std::string(kMergesKey), source.where()});
}

std::string read_pre_tokenizer_name(const TokenizerSource& source) {
  if (auto name = source.keys().string(kPreKey)) return *name;
  if (source.keys().string("tokenizer.ggml.model") == "gemma4") return "gemma4";
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected ", kPreKey,
                                              " to name how text is cut into words, got none in ", source.where()));
}

// The special tokens of Phi-3 take the white space after them, which GGUF has no key for. Known by name, as in
// llama.cpp.
bool is_phi3(const TokenizerSource& source) {
  std::string name = source.keys().string("general.name").value_or("");
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

// GGUF's tokens of words begin with the mark of a space; those of rests have nothing.
std::vector<Decoder::Step> mark_steps() {
  using Kind = Decoder::Step::Kind;
  return {{Kind::replace, "\u2581", " "}, {Kind::byte_fallback, "", ""}};
}

// A family of vocabularies that old converters gave the rule "default", known by tokens that only it has.
struct KnownVocabulary {
  std::string_view family;
  std::string_view rule;
  std::array<std::string_view, 2> tokens;
  TokenId first_id = -1;  // of the first of them; -1: any
};

constexpr std::array kKnownVocabularies = {
    KnownVocabulary{"Llama 3", "llama-bpe", {"<|begin_of_text|>", "<|start_header_id|>"}},
    KnownVocabulary{"Qwen 2", "qwen2", {"<|im_start|>", "<|object_ref_start|>"}},
    KnownVocabulary{"Qwen 2", "qwen2", {"<|endoftext|>", "<|im_start|>"}, 151'643},
    KnownVocabulary{"DeepSeek V3", "deepseek-v3", {"<｜begin▁of▁sentence｜>", "<｜tool▁calls▁begin｜>"}},
    KnownVocabulary{"Mistral's tekken", "tekken", {"[INST]", "[AVAILABLE_TOOLS]"}},
    KnownVocabulary{"GPT-4o", "gpt-4o", {"<|channel|>", "<|constrain|>"}},
};

// "default" cuts text otherwise than any of these models was trained with, and says nothing of a BOS.
void warn_of_default_rule(const TokenizerSource& source, Pipeline& parts) {
  if (source.keys().string(kPreKey) != "default") return;
  const Vocabulary& vocabulary = *parts.vocabulary;
  for (const KnownVocabulary& known : kKnownVocabularies) {
    const TokenId first = vocabulary.find_name(known.tokens[0]);
    if (first < 0 || vocabulary.find_name(known.tokens[1]) < 0) continue;
    if (known.first_id >= 0 && first != known.first_id) continue;
    const PreTokenizerRule& rule = require_pre_tokenizer_rule(known.rule, source.where());
    parts.warnings.push_back(str_cat(kPreKey, " is 'default', but the vocabulary is that of ", known.family,
                                     " models, whose rule is '", known.rule, "': text may become other tokens",
                                     rule.adds_bos && !parts.adds_bos ? " and gets no BOS" : "",
                                     "; get a newer conversion of the model (", source.where(), ")"));
    return;
  }
}

}  // namespace

std::unique_ptr<const Vocabulary> read_gguf_vocabulary(const TokenizerSource& source, Vocabulary::Alphabet alphabet) {
  const auto* tokens = source.keys().strings(kTokensKey);
  const TokenSource named = {std::string(kTokensKey), source.where()};
  static const std::vector<std::string> kNone;
  const bool none = tokens == nullptr || tokens->empty();  // which the vocabulary refuses
  auto types = none ? std::vector<TokenType>() : read_types(source, tokens->size());
  return std::make_unique<const Vocabulary>(tokens == nullptr ? kNone : *tokens, std::move(types), alphabet, named,
                                            source.only_added);
}

int64_t read_gguf_id(const Metadata& metadata, std::string_view key) { return metadata.integer(key).value_or(-1); }

TokenId read_gguf_id(const TokenizerSource& source, std::string_view key, Pipeline& parts) {
  if (!source.keys().contains(key)) return -1;
  const int64_t id = read_gguf_id(source.keys(), key);
  if (id >= 0 && id < parts.vocabulary->size()) return static_cast<TokenId>(id);
  parts.warnings.push_back(str_cat(key, " is ", id, ", beyond the vocabulary's ", parts.vocabulary->size(),
                                   " tokens; it is left out (", source.where(), ")"));
  return -1;
}

std::vector<AddedToken> special_tokens_of(const Vocabulary& vocabulary, const TokenizerSource& source) {
  const bool strips = is_phi3(source);
  std::vector<AddedToken> tokens;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenType type = vocabulary.type(id);
    const bool is_control = type == TokenType::control || type == TokenType::unknown;
    if (!is_control && type != TokenType::user_defined) continue;
    AddedToken token;
    token.text = vocabulary.text(id);
    token.id = id;
    token.control = is_control || is_control_name(token.text);
    token.rstrip = strips && token.text != "<unk>" && token.text != "<s>" && token.text != "<|endoftext|>";
    tokens.push_back(std::move(token));
  }
  return tokens;
}

void read_gguf_ends(const TokenizerSource& source, bool adds_bos, Pipeline& parts) {
  constexpr std::string_view kEosKey = "tokenizer.ggml.eos_token_id";
  const Metadata& keys = source.keys();
  parts.warnings = source.warnings;
  parts.bos = read_gguf_id(source, kBosKey, parts);
  const int64_t eos = read_gguf_id(keys, kEosKey);
  if (eos >= 0 && eos < parts.vocabulary->size()) parts.eos = static_cast<TokenId>(eos);  // else ends_of_turn says so
  const auto says = keys.boolean("tokenizer.ggml.add_bos_token");
  if (says == true && !keys.contains(kBosKey)) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kBosKey, ", as add_bos_token is true, got none in ", source.where()));
  }
  parts.adds_bos = says.value_or(adds_bos) && parts.bos >= 0;
  parts.ends = ends_of_turn(source, *parts.vocabulary, parts.warnings);
}

TokenizerSource gguf_tokenizer_source(std::shared_ptr<const Metadata> keys) {
  TokenizerSource source(std::move(keys));
  try {
    source.ends = gguf_turn_ends(source.keys());
  } catch (const Error& error) {
    source.problem = error;
  }
  return source;
}

Pipeline make_gguf_bpe(const TokenizerSource& source) {
  Pipeline parts;
  const std::optional<std::string>& pattern = source.split_pattern;
  const PreTokenizerRule no_rule;
  const PreTokenizerRule& rule =
      pattern ? no_rule : require_pre_tokenizer_rule(read_pre_tokenizer_name(source), source.where());
  using Alphabet = Vocabulary::Alphabet;
  parts.vocabulary = read_gguf_vocabulary(source, rule.marks_spaces ? Alphabet::characters : Alphabet::bytes);
  parts.added = AddedTokens(special_tokens_of(*parts.vocabulary, source));
  parts.normalizer = make_normalizer(rule);
  if (pattern) {
    parts.pre_tokenizer = make_split(std::make_unique<Regex>(*pattern, Regex::From::file, source.where()),
                                     SplitBehavior::isolated, false);
  } else {
    parts.pre_tokenizer = make_pre_tokenizer(rule);
  }
  Bpe::Options options;
  options.whole_words = rule.whole_words || pattern.has_value();
  if (rule.marks_spaces) {
    options.whole_run = '\n';
    options.unknown.byte_tokens = parts.vocabulary->byte_tokens();
    parts.decoder = Decoder(mark_steps());
  } else {
    parts.keeps_bytes = true;
  }
  parts.model = make_bpe(source, *parts.vocabulary, std::move(options));
  read_gguf_ends(source, rule.adds_bos, parts);
  if (rule.always_adds_bos) parts.adds_bos = parts.bos >= 0;
  warn_of_default_rule(source, parts);
  return parts;
}

Pipeline make_gguf_wordpiece(const TokenizerSource& source) {
  Pipeline parts;
  parts.vocabulary = read_gguf_vocabulary(source, Vocabulary::Alphabet::characters);
  parts.added = AddedTokens(special_tokens_of(*parts.vocabulary, source));
  BertOptions bert;
  bert.lowercase = source.keys().boolean("tokenizer.ggml.normalizer.lowercase").value_or(true);
  bert.strip_accents = source.keys().boolean("tokenizer.ggml.normalizer.strip_accents").value_or(bert.lowercase);
  parts.normalizer = make_bert(bert);
  parts.pre_tokenizer = make_bert_words();
  WordPiece::Options options;
  options.first_prefix = "\u2581";
  const int64_t unknown = read_gguf_id(source.keys(), "tokenizer.ggml.unknown_token_id");
  options.unknown = unknown >= 0 && unknown < parts.vocabulary->size() ? static_cast<TokenId>(unknown) : -1;
  if (options.unknown < 0) options.unknown = parts.vocabulary->find_name("[UNK]");
  parts.model = std::make_unique<WordPiece>(*parts.vocabulary, options);
  parts.decoder = Decoder(mark_steps(), Decoder::First::one_space);
  read_gguf_ends(source, true, parts);
  if (parts.bos < 0) {
    parts.bos = read_gguf_id(source, "tokenizer.ggml.cls_token_id", parts);
    parts.adds_bos = parts.bos >= 0;
  }
  return parts;
}

}  // namespace emelex
