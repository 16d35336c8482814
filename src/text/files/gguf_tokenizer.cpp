#include "text/files/gguf_tokenizer.h"

#include <cctype>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_rules.h"
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

std::vector<TokenType> read_types(const Metadata& metadata, size_t n_tokens) {
  const auto numbers = metadata.integers(kTypesKey);
  const auto fail = [&](const auto& got) {
    throw Error(ErrorCode::corrupt_file, str_cat("[tokenizer] expected ", kTypesKey, " to have ", n_tokens,
                                                 " numbers from 1 to 6, one for each of ", kTokensKey, ", got ", got,
                                                 " in ", tokenizer_source(metadata)));
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
Bpe::MergeNames split_merge(std::string_view line, size_t rank, const Metadata& metadata) {
  const size_t space = line.find(' ');
  const bool is_two = space != std::string_view::npos && space > 0 && space + 1 < line.size();
  if (!is_two || line.find(' ', space + 1) != std::string_view::npos) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected two tokens parted by one space, got ", quote_bytes(line), " as merge ",
                        rank, " of ", kMergesKey, " in ", tokenizer_source(metadata)));
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

std::vector<Bpe::MergeNames> read_merges(const Metadata& metadata) {
  const auto* lines = metadata.strings(kMergesKey);
  if (lines == nullptr) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kMergesKey, ", got none in ", tokenizer_source(metadata)));
  }
  std::vector<Bpe::MergeNames> merges;
  merges.reserve(lines->size());
  for (const std::string& line : *lines) merges.push_back(split_merge(line, merges.size(), metadata));
  return merges;
}

// The model, with the order of ids in place of merges where a file has none to have.
std::unique_ptr<const TokenModel> make_bpe(const Metadata& metadata, const Vocabulary& vocabulary,
                                           Bpe::Options options) {
  const bool ranks_are_ids = metadata.boolean(kRanksAreIdsKey).value_or(false);
  const bool has_none = metadata.string(kPreKey) == "kimi-k2" && !metadata.contains(kMergesKey);
  if (ranks_are_ids || has_none) {
    std::vector<uint32_t> ranks(static_cast<size_t>(vocabulary.size()));
    for (size_t id = 0; id < ranks.size(); ++id) ranks[id] = static_cast<uint32_t>(id);
    return std::make_unique<Bpe>(vocabulary, std::move(ranks), std::move(options));
  }
  return std::make_unique<Bpe>(vocabulary, read_merges(metadata), std::move(options),
                               TokenSource{std::string(kMergesKey), tokenizer_source(metadata)});
}

std::string read_pre_tokenizer_name(const Metadata& metadata) {
  if (auto name = metadata.string(kPreKey)) return *name;
  if (metadata.string("tokenizer.ggml.model") == "gemma4") return "gemma4";
  throw Error(ErrorCode::unsupported,
              str_cat("[tokenizer] expected ", kPreKey, " to name how text is cut into words, got none in ",
                      tokenizer_source(metadata)));
}

// The special tokens of Phi-3 take the white space after them, which GGUF has no key for. Known by name, as in
// llama.cpp.
bool is_phi3(const Metadata& metadata) {
  std::string name = metadata.string("general.name").value_or("");
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

// GGUF's tokens of words begin with the mark of a space; those of rests have nothing.
std::vector<Decoder::Step> mark_steps() {
  using Kind = Decoder::Step::Kind;
  return {{Kind::replace, "\u2581", " "}, {Kind::byte_fallback, "", ""}};
}

}  // namespace

std::string tokenizer_source(const Metadata& metadata) {
  return metadata.string(kTokenizerFileKey).value_or(metadata.source());
}

std::unique_ptr<const Vocabulary> read_gguf_vocabulary(const Metadata& metadata, Vocabulary::Alphabet alphabet) {
  const auto* tokens = metadata.strings(kTokensKey);
  const TokenSource source = {std::string(kTokensKey), tokenizer_source(metadata)};
  static const std::vector<std::string> kNone;
  const bool none = tokens == nullptr || tokens->empty();  // which the vocabulary refuses
  auto types = none ? std::vector<TokenType>() : read_types(metadata, tokens->size());
  std::vector<TokenId> only_added;
  for (const int64_t id : metadata.integers(kOnlyAddedKey).value_or(std::vector<int64_t>())) {
    if (id >= 0 && static_cast<size_t>(id) < types.size()) only_added.push_back(static_cast<TokenId>(id));
  }
  return std::make_unique<const Vocabulary>(tokens == nullptr ? kNone : *tokens, std::move(types), alphabet, source,
                                            only_added);
}

TokenId read_gguf_id(const Metadata& metadata, std::string_view key, const Vocabulary& vocabulary) {
  if (!metadata.contains(key)) return -1;
  return static_cast<TokenId>(metadata.require_integer(key, 0, vocabulary.size() - 1));
}

std::vector<AddedToken> special_tokens_of(const Vocabulary& vocabulary, const Metadata& metadata) {
  const bool strips = is_phi3(metadata);
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

void read_gguf_ends(const Metadata& metadata, bool adds_bos, Pipeline& parts) {
  parts.bos = read_gguf_id(metadata, kBosKey, *parts.vocabulary);
  parts.eos = read_gguf_id(metadata, "tokenizer.ggml.eos_token_id", *parts.vocabulary);
  const auto says = metadata.boolean("tokenizer.ggml.add_bos_token");
  if (says == true && parts.bos < 0) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[tokenizer] expected ", kBosKey, ", as add_bos_token is true, got none in ",
                        tokenizer_source(metadata)));
  }
  parts.adds_bos = says.value_or(adds_bos && parts.bos >= 0);
  for (const std::string_view key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const TokenId id = read_gguf_id(metadata, key, *parts.vocabulary); id >= 0) parts.ends.push_back(id);
  }
}

Pipeline make_gguf_bpe(const Metadata& metadata) {
  Pipeline parts;
  const auto pattern = metadata.string(kPatternKey);
  const PreTokenizerRule no_rule;
  const PreTokenizerRule& rule =
      pattern ? no_rule : require_pre_tokenizer_rule(read_pre_tokenizer_name(metadata), tokenizer_source(metadata));
  using Alphabet = Vocabulary::Alphabet;
  parts.vocabulary = read_gguf_vocabulary(metadata, rule.marks_spaces ? Alphabet::characters : Alphabet::bytes);
  parts.added = AddedTokens(special_tokens_of(*parts.vocabulary, metadata));
  parts.normalizer = make_normalizer(rule);
  if (pattern) {
    parts.pre_tokenizer = make_split(std::make_unique<Regex>(*pattern, Regex::From::file, tokenizer_source(metadata)),
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
  parts.model = make_bpe(metadata, *parts.vocabulary, std::move(options));
  read_gguf_ends(metadata, rule.adds_bos, parts);
  return parts;
}

Pipeline make_gguf_wordpiece(const Metadata& metadata) {
  Pipeline parts;
  parts.vocabulary = read_gguf_vocabulary(metadata, Vocabulary::Alphabet::characters);
  parts.added = AddedTokens(special_tokens_of(*parts.vocabulary, metadata));
  BertOptions bert;
  bert.lowercase = metadata.boolean("tokenizer.ggml.normalizer.lowercase").value_or(true);
  bert.strip_accents = metadata.boolean("tokenizer.ggml.normalizer.strip_accents").value_or(bert.lowercase);
  parts.normalizer = make_bert(bert);
  parts.pre_tokenizer = make_bert_words();
  WordPiece::Options options;
  options.first_prefix = "\u2581";
  options.unknown = read_gguf_id(metadata, "tokenizer.ggml.unknown_token_id", *parts.vocabulary);
  if (options.unknown < 0) options.unknown = parts.vocabulary->find_name("[UNK]");
  parts.model = std::make_unique<WordPiece>(*parts.vocabulary, options);
  parts.decoder = Decoder(mark_steps(), Decoder::First::one_space);
  read_gguf_ends(metadata, true, parts);
  if (parts.bos < 0) {
    parts.bos = read_gguf_id(metadata, "tokenizer.ggml.cls_token_id", *parts.vocabulary);
    parts.adds_bos = parts.bos >= 0;
  }
  return parts;
}

}  // namespace emelex
