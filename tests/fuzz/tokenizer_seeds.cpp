#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/seeds.h"

namespace emelex {
namespace {

// tokenizer.json with these parts; `more` are other members of the whole.
std::string json(const std::string& model, const std::string& more) {
  return R"({"added_tokens": [{"id": 0, "content": "<s>", "special": true, "normalized": false},)"
         R"({"id": 9, "content": "<tool>", "special": false, "lstrip": true, "rstrip": true, "single_word": true}], )" +
         more + R"("model": )" + model + "}";
}

const char* const kBpe = R"({"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4, "Ġa": 5},
  "merges": [["a", "b"], ["Ġ", "a"]]})";
const char* const kMarkedBpe = R"({"type": "BPE", "unk_token": "<s>", "fuse_unk": true, "byte_fallback": true,
  "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "▁": 4, "▁a": 5, "<0xFF>": 6}, "merges": ["a b", "▁ a"]})";
const char* const kUnigram = R"({"type": "Unigram", "unk_id": 0, "vocab": [["<s>", 0], ["a", -1.5], ["ab", -2],
  ["b", -3], ["▁", -2.5], ["▁a", -3.25]]})";
const char* const kWordPiece = R"({"type": "WordPiece", "unk_token": "<s>", "continuing_subword_prefix": "##",
  "max_input_chars_per_word": 100, "vocab": {"<s>": 0, "a": 1, "##b": 2, "ab": 3}})";

// The parts of protocol buffers.
std::string number(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7U) out.push_back(static_cast<char>(value | 0x80U));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string field(int no, uint64_t value) { return number(static_cast<uint64_t>(no) << 3U) + number(value); }
std::string field(int no, const std::string& text) {
  return number((static_cast<uint64_t>(no) << 3U) | 2U) + number(text.size()) + text;
}
std::string score(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  std::string out = number((2U << 3U) | 5U);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(bits >> (8U * static_cast<unsigned>(i))));
  return out;
}

std::string sentencepiece(uint64_t type, const std::string& normalizer) {
  struct Piece {
    const char* text;
    float score;
    uint64_t type;
  };
  std::string out;
  for (const Piece& piece : std::vector<Piece>{{"<unk>", 0, 2},
                                               {"<s>", 0, 3},
                                               {"</s>", 0, 3},
                                               {"<0x0A>", 0, 6},
                                               {"ab", 0, 4},
                                               {"\u2581", -1, 1},
                                               {"l", -2, 1},
                                               {"ll", -3, 1},
                                               {"o", -4, 1},
                                               {"\u2581a", -5, 1},
                                               {"unused", -6, 5}}) {
    out += field(1, field(1, std::string(piece.text)) + score(piece.score) + field(3, piece.type));
  }
  return out + field(2, field(3, type)) + field(3, normalizer);
}

// One unit of a trie that matches nothing, and a replacement.
std::string charsmap() { return std::string("\4\0\0\0\0\4\0\0x\0", 10); }

}  // namespace

Seeds tokenizer_json_seeds() {
  const auto sequence = [](const char* key, const std::string& steps) {
    return R"({"type": "Sequence", ")" + std::string(key) + R"(": [)" + steps + "]}";
  };
  const std::string byte_level = R"({"type": "ByteLevel", "add_prefix_space": true, "use_regex": true})";
  const auto split = [](const std::string& pattern, const std::string& behavior) {
    return R"({"type": "Split", "pattern": {"Regex": ")" + pattern + R"("}, "behavior": ")" + behavior +
           R"(", "invert": false})";
  };
  std::string doublings;
  std::string byte_levels;
  for (int i = 0; i < 40; ++i) {
    const std::string comma = i == 0 ? "" : ",";
    doublings += comma + R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
    byte_levels += comma + byte_level;
  }
  return {
      {"byte-level", json(kBpe, R"("pre_tokenizer": )" + byte_level + R"(, "decoder": )" + byte_level + ", ")},
      {"text", json(kBpe, R"("pre_tokenizer": )" + byte_level + ", ") + std::string("\0ab <s> \xFF", 10)},
      {"splits",
       json(kBpe, R"("pre_tokenizer": )" +
                      sequence("pretokenizers", split("\\\\d", "Removed") + "," + split("[aeiou]", "MergedWithNext") +
                                                    "," + split("\\\\s+", "Contiguous") + "," + byte_level) +
                      ", ")},
      {"middle",
       json(kBpe, R"("pre_tokenizer": )" + sequence("pretokenizers", byte_level + R"(, {"type": "Digits"})") + ", ")},
      {"marked",
       json(kMarkedBpe, R"("normalizer": )" +
                            sequence("normalizers", R"({"type": "Prepend", "prepend": "▁"}, {"type": "Replace",
                            "pattern": {"String": " "}, "content": "▁"}, {"type": "NFKC"})") +
                            R"(, "decoder": )" + sequence("decoders", R"({"type": "ByteFallback"}, {"type": "Fuse"},
                            {"type": "Strip", "content": " ", "start": 1, "stop": 0})") +
                            ", ")},
      {"unigram", json(kUnigram, R"("pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first"},
         "normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAEAAB4AA=="}, )")},
      {"word-piece", json(kWordPiece, R"("normalizer": {"type": "BertNormalizer"}, "pre_tokenizer":
         {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##"}, )")},
      {"word-level", json(R"({"type": "WordLevel", "unk_token": "<s>", "vocab": {"<s>": 0, "ab": 1}})",
                          R"("pre_tokenizer": {"type": "Whitespace"}, )")},
      {"cleaned",
       json(kWordPiece, R"("normalizer": )" + sequence("normalizers", R"({"type": "NFD"}, {"type": "StripAccents"},
          {"type": "Lowercase"}, {"type": "Nmt"}, {"type": "Strip", "strip_left": true, "strip_right": false},
          {"type": "Replace", "pattern": {"Regex": "a|b+"}, "content": "ab"}, {"type": "Prepend", "prepend": "a"})") +
                            R"(, "pre_tokenizer": )" + sequence("pretokenizers", R"({"type": "WhitespaceSplit"},
          {"type": "Punctuation", "behavior": "MergedWithPrevious"}, {"type": "Digits", "individual_digits": false},
          {"type": "CharDelimiterSplit", "delimiter": "l"}, {"type": "Metaspace", "replacement": "▁"})") +
                            ", ")},
      {"decoders",
       json(kUnigram, R"("decoder": )" + sequence("decoders", R"({"type": "Metaspace", "prepend_scheme": "always"},
          {"type": "Replace", "pattern": {"String": "a"}, "content": ""}, {"type": "ByteLevel"},
          {"type": "Strip", "content": "", "start": 18446744073709551615, "stop": 1})") +
                          R"(, "post_processor": {"type": "TemplateProcessing", "single":
          [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}, )")},
      {"doubling", json(kBpe, R"("normalizer": )" + sequence("normalizers", doublings) + R"(, "pre_tokenizer": )" +
                                  sequence("pretokenizers", byte_levels) + R"(, "decoder": )" +
                                  sequence("decoders", doublings) + ", ")},
      {"slow-pattern",
       json(kBpe, R"("pre_tokenizer": )" + split("(a|a)*b", "Isolated") + ", ") + '\0' + std::string(2000, 'a')},
      {"huge-id", R"({"model": {"type": "BPE", "vocab": {"a": 18446744073709551615}, "merges": []}})"},
      {"no-vocabulary", R"({"model": {"type": "BPE"}})"},
      {"vocabulary-of-pairs", R"({"model": {"type": "BPE", "vocab": [["a"]], "merges": [["a", "b", "c"]]}})"},
  };
}

Seeds sentencepiece_seeds() {
  return {
      {"bpe", sentencepiece(2, field(3, 1))},
      {"unigram", sentencepiece(1, field(2, charsmap()) + field(4, 1))},
      {"word", sentencepiece(3, "")},
      {"no-pieces", field(2, field(3, 2))},
      {"long-replacement", sentencepiece(1, field(2, std::string("\4\0\0\0\0\4\0\0", 8) + std::string(1000, 'x')))},
      {"short-charsmap", sentencepiece(1, field(2, std::string("\xFF\xFF\xFF\x7F", 4)))},
      {"piece-of-no-type", sentencepiece(2, "") + field(1, field(1, std::string("x")) + field(3, 77))},
      {"long-length", field(1, std::string("x")).substr(0, 1) + "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"},
  };
}

Seeds tiktoken_seeds() {
  return {
      {"lines", "YQ== 0\r\nYWI= 1\n\nYg== 2\n"},
      {"no-base64", "?Q== 0\n"},
      {"no-rank", "YQ==\n"},
      {"huge-rank", "YQ== 18446744073709551615\n"},
      {"far-rank", "YQ== 16777215\n"},
      {"twice", "YQ== 0\nYg== 0\n"},
      {"no-token", " 0\n"},
  };
}

Seeds tekken_seeds() {
  const auto tekken = [](const std::string& config, const std::string& vocabulary) {
    return R"({"config": {"pattern": "\\p{L}+|[^\\p{L}]", "version": "v3", )" + config + R"(}, "vocab": [)" +
           vocabulary + "]}";
  };
  const std::string two = R"({"rank": 0, "token_bytes": "YQ=="}, {"rank": 1, "token_bytes": "YWE="})";
  return {
      {"small", tekken(R"("default_vocab_size": 5, "default_num_special_tokens": 3)", two)},
      {"gap",
       tekken(R"("default_vocab_size": 9, "default_num_special_tokens": 3)", R"({"rank": 4, "token_bytes": "YQ=="})")},
      {"twice", tekken(R"("default_vocab_size": 9, "default_num_special_tokens": 3)", two + "," + two)},
      {"huge", tekken(R"("default_vocab_size": 99999999999, "default_num_special_tokens": 3)", two)},
      {"huge-rank", tekken(R"("default_vocab_size": 9, "default_num_special_tokens": 3)",
                           R"({"rank": 18446744073709551615, "token_bytes": "YQ=="})")},
      {"many-specials", tekken(R"("default_vocab_size": 16777216, "default_num_special_tokens": 16777215)", two)},
      {"named", R"({"config": {"pattern": "\\s*\\S+", "default_vocab_size": 6, "default_num_special_tokens": 4},
          "vocab": [)" +
                    two + R"(], "special_tokens": [{"rank": 0, "token_str": "<unk>", "is_control": true},
          {"rank": 1, "token_str": "<s>", "is_control": true}, {"rank": 2, "token_str": "</s>", "is_control": true},
          {"rank": 3, "token_str": "<x>", "is_control": false}]})"},
      {"no-base64",
       tekken(R"("default_vocab_size": 5, "default_num_special_tokens": 3)", R"({"rank": 0, "token_bytes": "?"})")},
  };
}

namespace {

// A GGUF file of metadata alone, written number by number.
class Keys {
 public:
  Keys& text(std::string_view key, std::string_view value) { return begin(key, 8).string(value); }
  Keys& integer(std::string_view key, uint32_t value) { return begin(key, 4).number(value); }
  Keys& flag(std::string_view key, bool value) {
    begin(key, 7).bytes_ += static_cast<char>(value);
    return *this;
  }
  Keys& real(std::string_view key, float value) { return begin(key, 6).number(std::bit_cast<uint32_t>(value)); }
  Keys& texts(std::string_view key, const std::vector<std::string>& values) {
    list(key, 8, values.size());
    for (const std::string& value : values) string(value);
    return *this;
  }
  Keys& integers(std::string_view key, const std::vector<uint32_t>& values) {
    list(key, 5, values.size());
    for (const uint32_t value : values) number(value);
    return *this;
  }
  Keys& reals(std::string_view key, const std::vector<float>& values) {
    list(key, 6, values.size());
    for (const float value : values) number(std::bit_cast<uint32_t>(value));
    return *this;
  }

  std::string file() const {
    Keys header;
    header.bytes_ = "GGUF";
    header.number(3).wide(0).wide(n_);
    return header.bytes_ + bytes_;
  }

 private:
  Keys& number(uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes_ += static_cast<char>(value >> (8 * i));
    return *this;
  }
  Keys& wide(uint64_t value) { return number(static_cast<uint32_t>(value)).number(static_cast<uint32_t>(value >> 32)); }
  Keys& string(std::string_view value) {
    wide(value.size()).bytes_ += value;
    return *this;
  }
  Keys& begin(std::string_view key, uint32_t type) {
    ++n_;
    return string(key).number(type);
  }
  Keys& list(std::string_view key, uint32_t type, size_t n) { return begin(key, 9).number(type).wide(n); }

  std::string bytes_;
  uint64_t n_ = 0;
};

}  // namespace

Seeds gguf_text_seeds() {
  const std::string prefix = "tokenizer.ggml.";
  Keys bpe;
  bpe.text(prefix + "model", "gpt2").text(prefix + "pre", "default");
  bpe.texts(prefix + "tokens",
            {"a", "b", "ab", "<|begin_of_text|>", "<|start_header_id|>", "<|end|>", "<|call|>", "[THINK]"});
  bpe.integers(prefix + "token_type", {1, 1, 1, 3, 3, 3, 3, 3}).texts(prefix + "merges", {"a b"});
  bpe.integer(prefix + "eos_token_id", 5).integer(prefix + "eot_token_id", 77).integer(prefix + "bos_token_id", 3);
  bpe.flag(prefix + "add_bos_token", true).integers(prefix + "eos_token_ids", {5, 6, 0xFFFFFFFF});
  bpe.text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}");
  bpe.text("tokenizer.chat_template.tool_use", "{% if %}");
  bpe.real("general.sampling.temp", 0.5F).real("general.sampling.top_p", 7.0F);
  Keys pieces;
  pieces.text(prefix + "model", "llama")
      .texts(prefix + "tokens", {"<unk>", "<s>", "</s>", "\u2581", "a", "\u2581a", "<0x0A>"});
  pieces.integers(prefix + "token_type", {2, 3, 3, 1, 1, 1, 6}).reals(prefix + "scores", {0, 0, 0, -1, -2, -3, 0});
  pieces.integer(prefix + "unknown_token_id", 0xFFFFFFFF).integer(prefix + "bos_token_id", 1);
  Keys forged = bpe;
  forged.text("emelex.tokenizer_json", "{}");
  return {{"bpe", bpe.file()}, {"pieces", pieces.file()}, {"forged", forged.file()}};
}

Seeds folder_text_seeds() {
  const std::string end(1, '\0');
  return {
      {"all",
       R"({"eos_token_id": [1, 2], "bos_token_id": 1})" + end +
           R"({"eos_token_id": 2, "do_sample": false, "temperature": 0.6, "top_k": 20, "top_p": 0.9})" + end +
           R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": true, "chat_template": "{{ bos_token }}"})"},
      {"beyond", R"({"text_config": {"eos_token_id": [99, -1, 1.5, true]}})" + end +
                     R"({"temperature": -1, "top_k": 1e99})" + end + "{}"},
      {"no-objects", "[]" + end + "7" + end + "{}"},
      {"nothing", ""},
      {"templates",
       "{}" + end + "{}" + end + R"({"chat_template": [{"name": "default", "template": "x"}, {"name": 7}, 3]})"},
  };
}

}  // namespace emelex
