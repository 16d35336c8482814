// How a generation goes on and ends, with models that say what the test wants.
#include <doctest/doctest.h>

#include <stdexcept>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "engine/tiny_model.h"
#include "text/tiny_vocabulary.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

using test::Script;
using test::TinyVocabulary;

GenerateOptions greedy(int max_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

struct Scripted {
  explicit Scripted(const Script& script, const test::TinyModel& model = {}) {
    const auto path = folder.path() / "tiny.gguf";
    write_scripted_model(path, script, model);
    LoadOptions load;
    load.threads = 1;
    engine = Engine::load(path, load);
    session = engine->new_session();
  }
  GenerateResult run(const std::vector<TokenId>& prompt, const GenerateOptions& options) {
    pieces.clear();
    return engine->generate(*session, prompt, options, [this](std::string_view text) {
      CHECK_FALSE(text.empty());
      CHECK(valid_utf8_prefix(text) == text.size());
      pieces.emplace_back(text);
      return true;
    });
  }
  GenerateResult run(const GenerateOptions& options) { return run({'>'}, options); }
  std::string streamed() const {
    std::string text;
    for (const auto& piece : pieces) text += piece;
    return text;
  }

  TemporaryFolder folder;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
  std::vector<std::string> pieces;
};

TEST_CASE("a turn that the model ends is whole, and the ending token is neither shown nor counted") {
  Scripted s(test::say('>', "abcdef"));
  const auto result = s.run(greedy(100));
  CHECK(result.finish == FinishReason::stop_token);
  CHECK(result.text == "abcdef");
  CHECK(s.streamed() == result.text);
  CHECK(s.pieces.size() == 6);
  CHECK(result.stats.prompt_tokens == 1);
  CHECK(result.stats.generated_tokens == 6);
  CHECK(s.session->length() == 7);
}

TEST_CASE("an answer that ends at once is empty") {
  Scripted s({});
  const auto result = s.run(greedy(100));
  CHECK(result.finish == FinishReason::stop_token);
  CHECK(result.text.empty());
  CHECK(result.stats.generated_tokens == 0);
  CHECK(s.pieces.empty());
}

TEST_CASE("no more than max_tokens are made") {
  Scripted s(test::say('>', "abcdef"));
  for (const int n : {1, 3, 6}) {
    CAPTURE(n);
    const auto result = s.run(greedy(n));
    CHECK(result.finish == FinishReason::max_tokens);
    CHECK(result.text == std::string("abcdef").substr(0, static_cast<size_t>(n)));
    CHECK(result.stats.generated_tokens == n);
    CHECK(s.session->length() == n);  // the last one was not computed
  }
}

TEST_CASE("max_tokens of 0 only computes the prompt") {
  Scripted s(test::say('>', "abcdef"));
  const auto result = s.run({'x', 'y', '>'}, greedy(0));
  CHECK(result.finish == FinishReason::max_tokens);
  CHECK(result.text.empty());
  CHECK(result.stats.prompt_tokens == 3);
  CHECK(result.stats.generated_tokens == 0);
  CHECK(s.session->length() == 3);
}

TEST_CASE("a stop string across tokens ends the text before it") {
  Scripted s(test::say('>', "abcdef"));
  auto options = greedy(100);
  options.stop = {"cde"};
  const auto result = s.run(options);
  CHECK(result.finish == FinishReason::stop_string);
  CHECK(result.text == "ab");
  CHECK(s.streamed() == "ab");
  CHECK(result.stats.generated_tokens == 5);
}

TEST_CASE("text that was held back for a stop string comes when the generation ends otherwise") {
  Scripted s(test::say('>', "abcdef"));
  auto options = greedy(100);
  options.stop = {"efg"};
  CHECK(s.run(options).text == "abcdef");
  CHECK(s.streamed() == "abcdef");
  CHECK(s.pieces.back() == "ef");
  options.max_tokens = 5;
  CHECK(s.run(options).text == "abcde");
  CHECK(s.streamed() == "abcde");
}

TEST_CASE("characters are streamed whole, however many tokens they take") {
  Scripted s(test::say('>', "a\xC3\xA9\xE2\x86\x92z"));  // aé→z
  const auto result = s.run(greedy(100));
  CHECK(result.text == "aé→z");
  CHECK(s.pieces == std::vector<std::string>{"a", "é", "→", "z"});
}

TEST_CASE("a character that is cut off by max_tokens becomes a replacement character") {
  Scripted s(test::say('>', "a\xE2\x86\x92z"));
  const auto result = s.run(greedy(3));
  CHECK(result.text == "a\xEF\xBF\xBD");
  CHECK(s.streamed() == result.text);
}

TEST_CASE("bytes that are no character become one replacement character each") {
  Scripted s(test::say('>',
                       "a\x80\xFF"
                       "b"));
  CHECK(s.run(greedy(100)).text ==
        "a\xEF\xBF\xBD\xEF\xBF\xBD"
        "b");
}

TEST_CASE("a stop string of a character that comes in parts is found") {
  Scripted s(test::say('>', "a\xC3\xA9\xE2\x86\x92z"));
  auto options = greedy(100);
  options.stop = {"→"};
  CHECK(s.run(options).text == "aé");
  CHECK(s.run(options).finish == FinishReason::stop_string);
}

TEST_CASE("control tokens that do not end the turn are silent but counted") {
  Scripted s({{'>', TinyVocabulary::kStart}, {TinyVocabulary::kStart, 'a'}});
  const auto result = s.run(greedy(100));
  CHECK(result.text == "a");
  CHECK(result.stats.generated_tokens == 2);
}

TEST_CASE("a full context ends the generation and says so, with all of its text") {
  Scripted s({{'>', 'a'}, {'a', 'b'}, {'b', 'a'}}, {16});
  const auto result = s.run({'x', '>'}, greedy(100));
  CHECK(result.finish == FinishReason::context_full);
  CHECK(result.text == "abababababababa");  // 14 that fit, and the one that was known by then
  CHECK(s.streamed() == result.text);
  CHECK(s.session->length() == 16);
}

TEST_CASE("a prompt may fill the context, and gets its one token") {
  Scripted s({{'>', 'a'}, {'a', 'b'}, {'b', 'a'}}, {16});
  const std::vector<TokenId> prompt(16, '>');
  auto result = s.run(prompt, greedy(100));
  CHECK(result.finish == FinishReason::context_full);
  CHECK(result.text == "a");
  result = s.run(prompt, greedy(1));
  CHECK(result.finish == FinishReason::max_tokens);
  CHECK(result.text == "a");
}

TEST_CASE("a prompt that does not fit is refused whole, and the session keeps what it has") {
  Scripted s(test::say('>', "abc"), {16});
  s.run({'x', '>'}, greedy(0));
  expect_error(ErrorCode::invalid_argument, {"[engine]", "17 tokens", "holds 16"},
               [&] { s.run(std::vector<TokenId>(17, '>'), greedy(1)); });
  CHECK(s.session->length() == 2);
  CHECK(s.run({'x', '>'}, greedy(100)).text == "abc");
}

TEST_CASE("of a prompt that does not fit the oldest tokens after a head are dropped, if asked, and told") {
  test::TinyModel model;
  model.context = 16;
  const Scripted s({{'z', 'a'}, {'a', 'b'}, {'b', 'a'}}, model);
  std::vector<TokenId> prompt(20, 'x');
  prompt.back() = 'z';
  auto options = greedy(4);
  options.keep_head = 3;
  auto result = s.engine->generate(*s.session, prompt, options, {});
  CHECK(result.text == "abab");
  CHECK(result.stats.dropped_tokens == 8);  // three of the head, nine of the end, four to come
  CHECK(result.stats.prompt_tokens == 12);
  options.max_tokens = 100;
  result = s.engine->generate(*s.session, prompt, options, {});
  CHECK(result.finish == FinishReason::context_full);
  CHECK(result.stats.prompt_tokens == 10);  // half of what is not the head
  options.keep_head = 0;
  CHECK(s.engine->generate(*s.session, prompt, options, {}).stats.prompt_tokens == 8);
  options.keep_head = 16;
  expect_error(ErrorCode::invalid_argument, {"keep_head", "0 to 15", "got 16"},
               [&] { s.engine->generate(*s.session, prompt, options, {}); });
  options.keep_head = 3;
  CHECK(s.engine->generate(*s.session, std::vector<TokenId>{'z'}, options, {}).stats.dropped_tokens == 0);
}

TEST_CASE("the cancel flag stops after the token under way and keeps the text") {
  Scripted s({{'>', 'a'}, {'a', 'b'}, {'b', 'a'}});
  std::atomic<bool> cancel{false};
  auto options = greedy(120);
  options.cancel = &cancel;
  std::string seen;
  const auto result = s.engine->generate(*s.session, std::vector<TokenId>{'>'}, options, [&](std::string_view text) {
    seen += text;
    if (seen.size() == 3) cancel = true;
    return true;
  });
  // The engine may have been ahead of the callback, and even done.
  CHECK(result.text == seen);
  CHECK(seen.size() >= 3);
  CHECK((result.finish == FinishReason::cancelled || seen.size() == 120));
  CHECK(s.session->length() >= 3);
}

TEST_CASE("a flag that is set before computes nothing") {
  Scripted s(test::say('>', "abc"));
  const std::atomic<bool> cancel{true};
  auto options = greedy(100);
  options.cancel = &cancel;
  const auto result = s.run(options);
  CHECK(result.finish == FinishReason::cancelled);
  CHECK(result.text.empty());
  CHECK(result.stats.generated_tokens == 0);
  CHECK(s.session->length() == 0);
  CHECK(s.run(greedy(100)).text == "abc");
}

TEST_CASE("a callback that returns false has seen the whole text of the result") {
  Scripted s({{'>', 'a'}, {'a', 'b'}, {'b', 'a'}});
  int calls = 0;
  const auto result = s.engine->generate(*s.session, std::vector<TokenId>{'>'}, greedy(100),
                                         [&](std::string_view) { return ++calls < 4; });
  CHECK(calls == 4);
  CHECK(result.finish == FinishReason::cancelled);
  CHECK(result.text == "abab");
}

TEST_CASE("an exception in the callback comes out of generate, and the engine goes on") {
  Scripted s(test::say('>', "abcdef"));
  int calls = 0;
  const auto throwing = [&](std::string_view) -> bool {
    ++calls;
    throw std::runtime_error("from the callback");
  };
  CHECK_THROWS_WITH_AS(s.engine->generate(*s.session, std::vector<TokenId>{'>'}, greedy(100), throwing),
                       "from the callback", std::runtime_error);
  CHECK(calls == 1);
  CHECK(s.run(greedy(100)).text == "abcdef");
}

TEST_CASE("without a callback the text is in the result") {
  Scripted s(test::say('>', "abcdef"));
  CHECK(s.engine->generate(*s.session, std::vector<TokenId>{'>'}, greedy(100), {}).text == "abcdef");
}

}  // namespace
}  // namespace emelex
