#include "text/files/tiktoken_file.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/base64.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_json.h"
#include "text/vocabulary/byte_alphabet.h"

namespace emelex {
namespace {

constexpr size_t kMostTokens = size_t{1} << 24U;
constexpr size_t kMostSpecialTokens = size_t{1} << 16U;  // of a tekken.json, which need not list them; in use: 1000
constexpr JsonLimits kTekkenLimits{64 << 20, 16, 2'000'000};  // 150,000 tokens of three values each, in 20 MB

enum TokenKind : int64_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

[[noreturn]] void fail(ErrorCode code, std::string_view expected, std::string_view got, const std::string& source) {
  throw Error(code, str_cat("[tokenizer] expected ", expected, ", got ", got, " in ", source));
}

// A vocabulary in the making: tokens by id.
class Tokens {
 public:
  // `most`: more tokens than the file can have, so that one large id takes no memory for all below it.
  Tokens(size_t most, std::string source) : most_(std::min(most, kMostTokens)), source_(std::move(source)) {}

  void put(size_t id, std::string name, TokenKind kind) {
    if (id >= most_) fail(ErrorCode::corrupt_file, str_cat("ids below ", most_), str_cat(id), source_);
    if (id >= names_.size()) {
      names_.resize(id + 1);
      kinds_.resize(id + 1, kUnused);
    }
    if (kinds_[id] != kUnused) fail(ErrorCode::corrupt_file, "each id once", str_cat(id, " twice"), source_);
    names_[id] = std::move(name);
    kinds_[id] = kind;
  }

  void put_bytes(size_t id, std::string_view base64) {
    const auto bytes = decode_base64(base64);
    if (!bytes || bytes->empty()) fail(ErrorCode::corrupt_file, "tokens in base64", quote_bytes(base64), source_);
    std::string name;
    append_as_byte_level(*bytes, name);
    put(id, std::move(name), kNormal);
  }

  size_t size() const { return names_.size(); }

  // Names nothing has so far; ids that were left out are the file's mistake.
  void add_to(TokenizerSource& source) && {
    const auto gap = std::find(kinds_.begin(), kinds_.end(), kUnused);
    if (gap != kinds_.end()) {
      fail(ErrorCode::corrupt_file, "a token for each id", str_cat("none for ", gap - kinds_.begin()), source_);
    }
    Metadata& metadata = source.own;
    source.file = source_;
    source.ranks_are_ids = true;
    metadata.add("tokenizer.ggml.model", std::string("gpt2"));
    metadata.add("tokenizer.ggml.tokens", std::move(names_));
    metadata.add("tokenizer.ggml.token_type", std::move(kinds_), 4);
  }

 private:
  size_t most_;
  std::string source_;
  std::vector<std::string> names_;
  std::vector<int64_t> kinds_;
};

void add_id(Metadata& metadata, const char* key, size_t id) {
  if (!metadata.contains(key)) metadata.add(key, static_cast<uint64_t>(id), 4);
}

using Names = std::vector<std::string>;

void add_numbered(Names& names, const std::string& stem, int first, int last) {
  for (int i = first; i <= last; ++i) names.push_back(str_cat("<|", stem, i, "|>"));
}

Names llama3_names() {
  Names names = {"<|begin_of_text|>",
                 "<|end_of_text|>",
                 "<|reserved_special_token_0|>",
                 "<|reserved_special_token_1|>",
                 "<|finetune_right_pad_id|>",
                 "<|step_id|>",
                 "<|start_header_id|>",
                 "<|end_header_id|>",
                 "<|eom_id|>",
                 "<|eot_id|>",
                 "<|python_tag|>",
                 "<|image|>"};
  add_numbered(names, "reserved_special_token_", 2, 245);
  return names;
}

Names llama4_names() {
  Names names = {"<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                 "<|header_start|>",  "<|header_end|>",  "<|eom|>",        "<|eot|>",        "<|step|>"};
  add_numbered(names, "text_post_train_reserved_special_token_", 0, 5);
  names.insert(names.end(), {"<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>"});
  add_numbered(names, "text_post_train_reserved_special_token_", 8, 68);
  names.insert(names.end(), {"<|image_start|>", "<|image_end|>"});
  add_numbered(names, "vision_reserved_special_token_", 0, 1);
  names.insert(names.end(), {"<|tile_x_separator|>", "<|tile_y_separator|>"});
  add_numbered(names, "vision_reserved_special_token_", 2, 5);
  names.emplace_back("<|image|>");
  add_numbered(names, "vision_reserved_special_token_", 6, 6);
  names.emplace_back("<|patch|>");
  add_numbered(names, "vision_reserved_special_token_", 7, 1047);
  add_numbered(names, "reasoning_reserved_special_token_", 0, 7);
  names.insert(names.end(), {"<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>"});
  add_numbered(names, "reserved_special_token_", 0, 2048 - static_cast<int>(names.size()) - 1);
  return names;
}

Names qwen_names() {
  Names names = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  add_numbered(names, "extra_", 0, 204);
  return names;
}

// What a file of that many tokens leaves unsaid.
struct Family {
  size_t n_ranks;
  const char* pre;   // how text is cut into words, as tokenizer.ggml.pre says it
  Names (*names)();  // of control tokens, which come after the others
  const char* bos;   // nullptr: none
  const char* eos;
};

constexpr Family kFamilies[] = {
    {128'000, "llama-bpe", llama3_names, "<|begin_of_text|>", "<|end_of_text|>"},
    {200'000, "llama4", llama4_names, "<|begin_of_text|>", "<|end_of_text|>"},
    {151'643, "qwen2", qwen_names, nullptr, "<|endoftext|>"},
};

const Family& family_of(size_t n_ranks, const std::string& source) {
  for (const Family& family : kFamilies) {
    if (family.n_ranks == n_ranks) return family;
  }
  fail(ErrorCode::unsupported, "the 128000 tokens of Llama 3, the 200000 of Llama 4 or the 151643 of Qwen",
       str_cat(n_ranks), source);
}

void read_lines(std::string_view text, const std::string& source, Tokens& tokens) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view number = line.substr(std::min(space + 1, line.size()));
    size_t rank = 0;
    const auto [last, error] = std::from_chars(number.data(), number.data() + number.size(), rank);
    if (error != std::errc() || last != number.data() + number.size()) {
      fail(ErrorCode::corrupt_file, "lines of a token in base64 and its rank", quote_bytes(line), source);
    }
    tokens.put_bytes(rank, line.substr(0, space));
  }
}

// A number of tekken.json's config.
size_t count_of(const Json& config, const char* key, size_t most, const std::string& source) {
  const Json* value = find_member(config, key);
  if (value == nullptr || !value->is_number_unsigned() || value->get<uint64_t>() > most) {
    fail(ErrorCode::corrupt_file, str_cat("config.", key, " to be a number up to ", most),
         value == nullptr ? "none" : "something else", source);
  }
  return static_cast<size_t>(value->get<uint64_t>());
}

// Files before version 7 do not list their control tokens.
Names old_tekken_names() {
  return {"<unk>",
          "<s>",
          "</s>",
          "[INST]",
          "[/INST]",
          "[AVAILABLE_TOOLS]",
          "[/AVAILABLE_TOOLS]",
          "[TOOL_RESULTS]",
          "[/TOOL_RESULTS]",
          "[TOOL_CALLS]",
          "[IMG]",
          "<pad>",
          "[IMG_BREAK]",
          "[IMG_END]",
          "[PREFIX]",
          "[MIDDLE]",
          "[SUFFIX]",
          "[SYSTEM_PROMPT]",
          "[/SYSTEM_PROMPT]",
          "[TOOL_CONTENT]"};
}

void put_tekken_specials(const Json& root, size_t count, const std::string& source, Tokens& tokens) {
  size_t named = 0;
  if (const Json* list = find_member(root, "special_tokens"); list != nullptr && list->is_array()) {
    for (const Json& token : *list) {
      const Json* rank = find_member(token, "rank");
      if (rank == nullptr || !rank->is_number_unsigned() || rank->get<uint64_t>() >= count) {
        fail(ErrorCode::corrupt_file, str_cat("special_tokens of ranks below ", count), "another", source);
      }
      const bool is_control = flag_of(token, "is_control", true);
      tokens.put(rank->get<size_t>(), text_of(token, "token_str"), is_control ? kControl : kUserDefined);
      ++named;
    }
  } else {
    for (std::string& name : old_tekken_names()) {
      if (named < count) tokens.put(named++, std::move(name), kControl);
    }
  }
  for (size_t id = named; id < count; ++id) tokens.put(id, str_cat("<SPECIAL_", id, ">"), kControl);
}

}  // namespace

void add_tiktoken(std::string_view text, const std::string& file, TokenizerSource& source) {
  constexpr size_t kMostNames = 4096;  // of control tokens, which the file does not list
  constexpr size_t kLeastLine = 5;     // bytes of "YQ 0" and its end
  Tokens tokens(text.size() / kLeastLine + kMostNames, file);
  read_lines(text, file, tokens);
  const Family& family = family_of(tokens.size(), file);
  size_t id = tokens.size();
  for (std::string& name : family.names()) {
    if (family.bos != nullptr && name == family.bos) add_id(source.own, "tokenizer.ggml.bos_token_id", id);
    if (name == family.eos) add_id(source.own, "tokenizer.ggml.eos_token_id", id);
    tokens.put(id++, std::move(name), kControl);
  }
  source.own.add("tokenizer.ggml.pre", std::string(family.pre));
  std::move(tokens).add_to(source);
}

void add_tekken(std::string_view text, const std::string& file, TokenizerSource& source) {
  const Json root = parse_json(text, kTekkenLimits, "tokenizer", file);
  const Json* config = find_member(root, "config");
  const Json* vocabulary = find_member(root, "vocab");
  if (config == nullptr || vocabulary == nullptr || !vocabulary->is_array()) {
    fail(ErrorCode::corrupt_file, "config and a list vocab", "none", file);
  }
  const size_t size = count_of(*config, "default_vocab_size", kMostTokens, file);
  const size_t n_special = count_of(*config, "default_num_special_tokens", kMostSpecialTokens, file);
  const std::string pattern = text_of(*config, "pattern");
  if (pattern.empty()) fail(ErrorCode::corrupt_file, "config.pattern", "none", file);
  Tokens tokens(n_special + vocabulary->size(), file);
  put_tekken_specials(root, std::min(n_special, size), file, tokens);
  for (const Json& token : *vocabulary) {
    const Json* rank = find_member(token, "rank");
    if (rank == nullptr || !rank->is_number_unsigned()) fail(ErrorCode::corrupt_file, "ranks in vocab", "none", file);
    const auto at = rank->get<uint64_t>();
    if (at >= size || at + n_special >= size) continue;  // the file has more than the model
    tokens.put_bytes(static_cast<size_t>(at) + n_special, text_of(token, "token_bytes"));
  }
  source.split_pattern = pattern;
  add_id(source.own, "tokenizer.ggml.unknown_token_id", 0);
  add_id(source.own, "tokenizer.ggml.bos_token_id", 1);
  add_id(source.own, "tokenizer.ggml.eos_token_id", 2);
  if (!source.own.contains("tokenizer.ggml.add_bos_token")) source.own.add("tokenizer.ggml.add_bos_token", true);
  std::move(tokens).add_to(source);
}

}  // namespace emelex
