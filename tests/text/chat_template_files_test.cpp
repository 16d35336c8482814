// Where the chat templates of a Hugging Face folder are.
#include "text/chat/chat_template_files.h"

#include <doctest/doctest.h>

#include <fstream>
#include <map>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "emelex/chat.h"
#include "emelex/tokenizer.h"

namespace emelex {
namespace {

struct Folder {
  TemporaryFolder folder;

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name) << text;
  }
  // The templates by their names.
  std::map<std::string, std::string> read() const {
    std::map<std::string, std::string> texts;
    for (const NamedTemplate& one : read_hf_chat_templates(folder.path()).templates) texts[one.name] = one.text;
    return texts;
  }
};

TEST_CASE("tokenizer_config.json has one template, or several by their names") {
  const Folder f;
  CHECK(f.read().empty());
  f.write("tokenizer_config.json", R"({"chat_template": "A"})");
  CHECK(f.read()["default"] == "A");
  f.write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "D"},
                                                         {"name": "rag", "template": "R"}]})");
  CHECK(f.read()["default"] == "D");
  CHECK(f.read()["rag"] == "R");
}

TEST_CASE("templates in files of their own come before those in tokenizer_config.json") {
  const Folder f;
  f.write("chat_template.json", R"({"chat_template": "P"})");
  CHECK(f.read()["default"] == "P");
  f.write("tokenizer_config.json", R"({"chat_template": "A"})");
  CHECK(f.read()["default"] == "A");
  f.write("chat_template.jinja", "J\n");
  f.write("additional_chat_templates/tool_use.jinja", "T");
  f.write("additional_chat_templates/notes.txt", "N");
  CHECK(f.read()["default"] == "J\n");
  CHECK(f.read()["tool_use"] == "T");
  CHECK_FALSE(f.read().contains("notes"));
  std::filesystem::remove(f.folder.path() /
                          "chat_template.jinja");  // the default may still be in tokenizer_config.json
  CHECK(f.read()["default"] == "A");
  CHECK(f.read()["tool_use"] == "T");
}

TEST_CASE("a folder needs neither weights nor a tokenizer for its template, and gives the special tokens by name") {
  const Folder f;
  f.write("tokenizer_config.json",
          R"({"bos_token": {"content": "<b>"}, "eos_token": "<e>", "pad_token": null,
              "chat_template": "{{ bos_token ~ messages[0].content ~ eos_token }}{{ pad_token is defined }}"})");
  CHECK(load_chat_template(f.folder.path())->render({{"user", "x"}}) == "<b>x<e>False");
  CHECK(load_chat_template(f.folder.path() / "tokenizer_config.json")->names() == std::vector<std::string>{"default"});
  expect_error(ErrorCode::unsupported, {"tokenizer.json"}, [&] { (void)load_tokenizer(f.folder.path()); });
}

TEST_CASE("a folder with tokenizer.json alone has a tokenizer, and a built-in template") {
  const Folder f;
  f.write("tokenizer.json", R"({"added_tokens": [{"id": 3, "content": "<|im_start|>", "special": true},
                                                 {"id": 4, "content": "<|im_end|>", "special": true}],
                                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
                                "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
  for (const auto& path : {f.folder.path(), f.folder.path() / "tokenizer.json"}) {
    CHECK(load_tokenizer(path)->encode("abab", SpecialTokens::as_text) == std::vector<TokenId>{2, 2});
    CHECK(load_chat_template(path)->built_in() == "chatml");
  }
  f.write("config.json", R"({"model_type": "nonesuch"})");
  CHECK(load_tokenizer(f.folder.path())->vocab_size() == 5);
}

TEST_CASE("files that can't be meant are named") {
  const Folder f;
  f.write("tokenizer_config.json", "{");
  expect_error(ErrorCode::corrupt_file, {"tokenizer_config.json"}, [&] { (void)f.read(); });
  f.write("tokenizer_config.json", "{}");
  f.write("chat_template.jinja", std::string(2 << 20, 'x'));
  expect_error(ErrorCode::unsupported, {"chat_template.jinja", "1048576"}, [&] { (void)f.read(); });
  expect_error(ErrorCode::not_found, {"missing.gguf"},
               [&] { (void)load_chat_template(f.folder.path() / "missing.gguf"); });
}

}  // namespace
}  // namespace emelex
