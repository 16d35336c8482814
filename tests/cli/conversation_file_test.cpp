#include "cli/conversation_file.h"

#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "base/temporary_folder.h"

using namespace emelex;
using namespace emelex::cli;

TEST_CASE("a saved conversation is loaded as it was") {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "saved.json";
  save_conversation(file, {{"system", "Be \"brief\"."}, {"user", "Ä\n"}, {"assistant", ""}});
  const std::vector<Message> loaded = load_conversation(file);
  REQUIRE(loaded.size() == 3);
  CHECK(loaded[0].content == "Be \"brief\".");
  CHECK(loaded[1].content == "Ä\n");
  CHECK(loaded[2].role == "assistant");
}

TEST_CASE("a conversation that was not saved by emelex is refused, whatever it holds") {
  const TemporaryFolder folder;
  const std::string deep(1'000'000, '[');
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"), std::string("[-1e999]"), std::string("[null]"),
        std::string(R"([{"role": "user"}])"), std::string(R"([{"role": 1, "content": "a"}])"),
        std::string(R"([{"role": "user", "content": -1}])"),
        std::string(R"([{"role": "user", "content": 99999999999999999999999}])"),
        std::string(R"([{"role": "user", "content": ["a"]}])"), std::string(R"([{"role": "tool", "content": "a"}])"),
        std::string("[{\"role\": \"user\", \"content\": \"\xff\xfe\"}]"), std::string(R"([{"role": "user", )"), deep,
        deep + std::string(1'000'000, ']')}) {
    const std::string file = folder.file("saved.json", text);
    expect_error(ErrorCode::invalid_argument, {"saved.json"}, [&] { (void)load_conversation(file); });
  }
  expect_error(ErrorCode::not_found, {"none.json"}, [&] { (void)load_conversation(folder.path() / "none.json"); });
}
