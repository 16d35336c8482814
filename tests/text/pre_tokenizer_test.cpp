#include <doctest/doctest.h>

#include "emelex/error.h"
#include "text/files/gguf_rules.h"

using emelex::NormalizationForm;
using emelex::normalized;
using Words = std::vector<std::string_view>;

namespace {

Words words_of(std::string_view rule, std::string_view text) {
  Words words;
  emelex::Arena arena;
  emelex::make_pre_tokenizer(emelex::require_pre_tokenizer_rule(rule, "tiny.gguf"))->split(text, true, words, arena);
  return words;
}

}  // namespace

TEST_CASE("GPT-2's rule keeps a space with the word after it") {
  CHECK(words_of("gpt-2", "it's 1234 x  y\n") == Words{"it", "'s", " 1234", " x", " ", " y", "\n"});
  CHECK(words_of("gpt-2", "").empty());
}

TEST_CASE("SmolLM's rule makes a word of each digit, whose space stands alone") {
  CHECK(words_of("smollm", "a  12 3b\u0663") == Words{"a", "  ", "1", "2", " ", "3", "b", "\u0663"});
}

TEST_CASE("Llama 3's rule groups digits by three and knows contractions in capitals") {
  CHECK(words_of("llama-bpe", "IT'S 12345!\n\n x") == Words{"IT", "'S", " ", "123", "45", "!\n\n", " x"});
}

TEST_CASE("Qwen 2's rule makes a word of each digit") { CHECK(words_of("qwen2", "x 12") == Words{"x", " ", "1", "2"}); }

TEST_CASE("GPT-4o's rule parts words where capitals begin") {
  CHECK(words_of("gpt-4o", "helloWorld's") == Words{"hello", "World's"});
}

TEST_CASE("white space is Unicode's, which U+180E is not part of") {
  CHECK(words_of("gpt-2", "a\u0085\u3000b") == Words{"a", "\u0085", "\u3000", "b"});
  CHECK(words_of("gpt-2", "\u180e!") == Words{"\u180e!"});
}

TEST_CASE("DeepSeek-V3's rules apply one after the other") {
  CHECK(words_of("deepseek-v3", "漢字12345 abc") == Words{"漢字", "123", "45", " abc"});
}

TEST_CASE("normalization composes, and leaves what is no UTF-8 as it is") {
  CHECK(normalized("e\u0301\xFFo\u0302", NormalizationForm::nfc) == "\u00e9\xFF\u00f4");
  CHECK(normalized("abc", NormalizationForm::nfc) == "abc");
}

TEST_CASE("a run of combining marks without end is put in order in time that grows with its length") {
  std::string marks = "a";
  for (int i = 0; i < 200'000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  const std::string ordered = normalized(marks, NormalizationForm::nfd);
  CHECK(ordered.size() == marks.size());
  CHECK(ordered.starts_with("a\u0323\u0323"));
  CHECK(ordered.ends_with("\u0301\u0301"));
}
