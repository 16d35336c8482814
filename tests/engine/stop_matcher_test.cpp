#include "engine/stop_matcher.h"

#include <doctest/doctest.h>

#include <random>

namespace emelex {
namespace {

using Texts = std::vector<std::string>;

struct Outcome {
  std::string shown;   // before the end
  std::string at_end;  // by finish()
  bool matched;
};

Outcome run(const Texts& stops, const Texts& pieces) {
  StopMatcher matcher(stops);
  Outcome outcome{};
  for (const auto& piece : pieces) outcome.shown += matcher.push(piece);
  outcome.matched = matcher.matched();
  outcome.at_end = matcher.finish();
  return outcome;
}

Texts bytes_of(const std::string& text) {
  Texts pieces;
  for (const char c : text) pieces.emplace_back(1, c);
  return pieces;
}

void check_stops(const Texts& stops, const std::string& text, const std::string& before) {
  CAPTURE(text);
  for (const auto& pieces : {Texts{text}, bytes_of(text)}) {
    CAPTURE(pieces.size());
    const Outcome outcome = run(stops, pieces);
    CHECK(outcome.matched);
    CHECK(outcome.shown == before);
    CHECK(outcome.at_end.empty());
  }
}

void check_goes_on(const Texts& stops, const std::string& text, const std::string& held_back) {
  CAPTURE(text);
  for (const auto& pieces : {Texts{text}, bytes_of(text)}) {
    CAPTURE(pieces.size());
    const Outcome outcome = run(stops, pieces);
    CHECK_FALSE(outcome.matched);
    CHECK(outcome.shown + outcome.at_end == text);
    CHECK(outcome.at_end == held_back);
  }
}

TEST_CASE("without stop strings everything is shown at once") {
  check_goes_on({}, "some text", "");
  check_goes_on({""}, "some text", "");
}

TEST_CASE("text before a stop string is shown, the rest is not") {
  check_stops({"END"}, "some END text", "some ");
  check_stops({"END"}, "END", "");
  check_stops({"END"}, "ENENDEND", "EN");
  check_stops({"\n\n"}, "a\nb\n\n\nc", "a\nb");
}

TEST_CASE("what may become a stop string is held back until it does not") {
  check_goes_on({"END"}, "the EN", "EN");
  check_goes_on({"END"}, "the ENTER", "");
  check_goes_on({"aab"}, "aaa", "aa");
  check_goes_on({"abab", "bb"}, "xabax", "");
}

TEST_CASE("a stop string is found across pieces, and each piece is shown as soon as it is safe") {
  StopMatcher matcher({"stop"});
  CHECK(matcher.push("as") == "a");
  CHECK(matcher.push("t") == "");
  CHECK(matcher.push("ay s") == "stay ");
  CHECK(matcher.push("to") == "");
  CHECK_FALSE(matcher.matched());
  CHECK(matcher.push("p it") == "");
  CHECK(matcher.matched());
  CHECK(matcher.push("more") == "");
  CHECK(matcher.finish() == "");
}

TEST_CASE("of overlapping stop strings the one that is complete first ends the text") {
  check_stops({"bcd", "abcdX"}, "abcdX", "a");
  check_stops({"abcdX", "bcd"}, "1abcdX", "1a");
  check_stops({"abc", "cde"}, "abcde", "");
  check_stops({"xabc", "bc"}, "xabc", "");  // both at once: the longer, so that none of it is shown
  check_stops({"bc", "xabc"}, "xabc", "");
}

TEST_CASE("of a stop string and its beginning, the beginning ends the text") {
  check_stops({"ab", "abc"}, "xabc", "x");
  check_stops({"abc", "ab"}, "xabc", "x");
  check_stops({"<|end|>", "<"}, "1 < 2", "1 ");
}

TEST_CASE("characters of several bytes are neither broken nor mistaken") {
  check_stops({"→"}, "a→b", "a");
  check_stops({"日本"}, "日日本語", "日");
  StopMatcher matcher({"é!"});
  CHECK(matcher.push("caf") == "caf");
  CHECK(matcher.push("é") == "");
  CHECK(matcher.push("è") == "éè");  // shares its first byte with é
  CHECK(matcher.push("é!") == "");
  CHECK(matcher.matched());
}

// The plain meaning, one byte at a time.
Outcome naive(const Texts& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const auto& stop : stops) {
      if (stop.size() <= end && text.substr(end - stop.size(), stop.size()) == stop)
        longest = std::max(longest, stop.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), "", true};
  }
  return {text, "", false};
}

TEST_CASE("the outcome does not depend on where pieces begin and end") {
  std::mt19937 random(9);
  const auto text_of = [&](size_t most) {
    std::string text(1 + random() % most, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  int matches = 0;
  for (int round = 0; round < 3000; ++round) {
    Texts stops;
    for (size_t i = 0; i <= random() % 3; ++i) stops.push_back(text_of(6));
    const std::string text = text_of(24);
    Texts pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t n = 1 + random() % 5;
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    const Outcome expected = naive(stops, text);
    const Outcome outcome = run(stops, pieces);
    CAPTURE(text);
    REQUIRE(outcome.matched == expected.matched);
    REQUIRE(outcome.shown + outcome.at_end == expected.shown);
    matches += expected.matched ? 1 : 0;
  }
  CHECK(matches > 500);
  CHECK(matches < 2950);
}

}  // namespace
}  // namespace emelex
