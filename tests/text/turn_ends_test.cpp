// Which tokens end a turn: what the files list, and names only where they are silent.
#include "text/files/turn_ends.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/temporary_folder.h"
#include "text/files/generation_config.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/hf_tokenizer.h"
#include "text/files/tokenizer_factory.h"

namespace emelex {
namespace {

using Names = std::vector<std::string>;

// A GGUF file's metadata with these control tokens after "a".
struct Gguf {
  Names tokens = {"a"};
  std::map<std::string, int64_t> ids;  // "eos" → 1

  explicit Gguf(const Names& control) { tokens.insert(tokens.end(), control.begin(), control.end()); }

  Metadata metadata() const {
    Metadata metadata("tiny.gguf");
    std::vector<int64_t> types(tokens.size(), 3);
    types[0] = 1;
    metadata.add("tokenizer.ggml.model", std::string("gpt2"));
    metadata.add("tokenizer.ggml.pre", std::string("gpt-2"));
    metadata.add("tokenizer.ggml.tokens", tokens);
    metadata.add("tokenizer.ggml.token_type", std::move(types));
    metadata.add("tokenizer.ggml.merges", Names());
    for (const auto& [name, id] : ids) metadata.add("tokenizer.ggml." + name + "_token_id", id);
    return metadata;
  }
  int64_t id(const std::string& name) const { return std::find(tokens.begin(), tokens.end(), name) - tokens.begin(); }
};

Names ends_of(const Tokenizer& tokenizer) {
  Names names;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.is_end(id)) names.push_back(tokenizer.decode_token(id, true));
  }
  return names;
}

const Names kHarmony = {"<|endoftext|>", "<|return|>",  "<|channel|>", "<|start|>",
                        "<|end|>",       "<|message|>", "<|call|>"};

}  // namespace

TEST_CASE("a GGUF file that names eos alone ends turns at every token with a name for it, as in llama.cpp") {
  Gguf file({"<root>", "<|call|>", "<|return|>", "<|flush|>", "</s>", "<EOT>", "_<EOT>", "[EOS]", "<eos>", "<turn|>",
             "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<end_of_turn>", "<|user|>"});
  file.ids["eos"] = 1;
  Names expected = file.tokens;
  expected.erase(expected.begin());
  expected.pop_back();
  CHECK(ends_of(*make_tokenizer(file.metadata())) == expected);
}

TEST_CASE("the end of a message is no end of a turn where turns have ends of their own") {
  Gguf harmony(kHarmony);
  harmony.ids["eos"] = harmony.id("<|return|>");
  const Names ends = {"<|endoftext|>", "<|return|>", "<|call|>"};
  CHECK(ends_of(*make_tokenizer(harmony.metadata())) == ends);
  harmony.ids["eot"] = harmony.id("<|end|>");  // as a converter guesses
  CHECK(ends_of(*make_tokenizer(harmony.metadata())) == ends);
  Gguf phi({"<|endoftext|>", "<|assistant|>", "<|end|>"});
  phi.ids["eos"] = 1;
  CHECK(ends_of(*make_tokenizer(phi.metadata())) == Names{"<|endoftext|>", "<|end|>"});
  CHECK(ends_of(*make_tokenizer(Gguf({"</s>", "<|tool_response>"}).metadata())) == Names{"<|tool_response>"});
}

TEST_CASE("a GGUF file that says more than eos is believed, and names add nothing") {
  Gguf file({"<e>", "<turn>", "<|im_end|>", "<pad>"});
  file.ids = {{"eos", 1}, {"eot", 2}};
  CHECK(ends_of(*make_tokenizer(file.metadata())) == Names{"<e>", "<turn>"});
  file.ids = {{"eos", 1}, {"fim_pad", 4}};
  CHECK(ends_of(*make_tokenizer(file.metadata())) == Names{"<e>", "<|im_end|>", "<pad>"});
  file.ids = {{"eos", 1}};
  Metadata listed = file.metadata();
  listed.add(kTurnEndsKey, std::vector<int64_t>{1, 2, 4, 77});
  const auto tokenizer = make_tokenizer(listed);
  CHECK(ends_of(*tokenizer) == Names{"<e>", "<turn>", "<pad>"});
  REQUIRE(tokenizer->warnings().size() == 1);
  CHECK(tokenizer->warnings()[0].find("token 77") != std::string::npos);
}

TEST_CASE("ids beyond the vocabulary are left out and said, whatever they are for") {
  for (const char* name : {"bos", "eos", "eot", "eom", "unknown", "padding", "fim_pad"}) {
    for (const int64_t id : {int64_t{3}, int64_t{-1}, int64_t{0xFFFFFFFF}, int64_t{-77}}) {
      CAPTURE(name);
      CAPTURE(id);
      Gguf file({"<e>", "<|im_end|>"});
      file.ids[name] = id;
      const auto tokenizer = make_tokenizer(file.metadata());
      CHECK(tokenizer->bos() == -1);
      CHECK(tokenizer->eos() == -1);
      CHECK(ends_of(*tokenizer) == Names{"<|im_end|>"});
      const std::string which = name;
      CHECK(tokenizer->warnings().empty() == (which == "unknown" || which == "padding"));
    }
  }
}

TEST_CASE("a folder's ends are those of its three files together") {
  const TemporaryFolder folder;
  const auto write = [&](const char* name, const std::string& text) { std::ofstream(folder.path() / name) << text; };
  write("tokenizer.json", R"({"model": {"type": "WordLevel", "vocab": {"a": 0}}, "added_tokens": [
      {"id": 1, "content": "<e>", "special": true}, {"id": 2, "content": "<turn>", "special": true},
      {"id": 3, "content": "<|im_end|>", "special": true}], "pre_tokenizer": {"type": "WhitespaceSplit"}})");
  const auto ends = [&](const std::string& config, const std::string& generation, const std::string& tokenizer) {
    write("config.json", config);
    write("generation_config.json", generation);
    write("tokenizer_config.json", tokenizer);
    return ends_of(*make_tokenizer(read_hf_tokenizer(folder.path(), 4)));
  };
  const Names both = {"<e>", "<turn>"};
  const Names named = {"<e>", "<turn>", "<|im_end|>"};
  CHECK(ends(R"({"eos_token_id": [1, 2]})", "{}", "{}") == both);
  CHECK(ends(R"({"eos_token_id": 1})", R"({"eos_token_id": [1, 2]})", "{}") == both);
  CHECK(ends(R"({"eos_token_id": 1})", R"({"eos_token_id": 2})", "{}") == both);
  CHECK(ends(R"({"text_config": {"eos_token_id": [1]}})", R"({"eos_token_id": 2.0})", "{}") == both);
  CHECK(ends("{}", R"({"eos_token_id": [1]})", R"({"eos_token": {"content": "<turn>"}})") == both);
  // The files say nothing of turns.
  CHECK(ends(R"({"eos_token_id": 1})", "{}", R"({"eos_token": "<turn>"})") == named);
  CHECK(ends(R"({"eos_token_id": null})", "{}", "{}") == Names{"<|im_end|>"});
  CHECK(ends(R"({"eos_token_id": [-1, 99, true, "x"]})", "{", "{}") == Names{"<|im_end|>"});
}

TEST_CASE("what the makers recommend for sampling is read from either kind of file, within bounds") {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  CHECK(read_hf_sampling(folder.path(), warnings) == SamplingDefaults());
  const auto read = [&](const std::string& json) {
    std::ofstream(folder.path() / "generation_config.json") << json;
    return read_hf_sampling(folder.path(), warnings);
  };
  SamplingDefaults all = read(R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.01,
                                  "repetition_penalty": 1.05})");
  CHECK(all.temperature == 0.6F);
  CHECK(all.top_k == 20);
  CHECK(all.top_p == 0.95F);
  CHECK(all.min_p == 0.01F);
  CHECK(all.repeat_penalty == 1.05F);
  CHECK(read(R"({"do_sample": false, "temperature": 0.6})").temperature == 0.0F);
  CHECK(read(R"({"top_k": -1, "top_p": 0})").top_k == 0);
  CHECK(warnings.empty());
  CHECK(read(R"({"temperature": -3, "top_p": 7, "min_p": 2, "repetition_penalty": 0})") == SamplingDefaults());
  CHECK(warnings.size() == 4);
  CHECK(read("[]") == SamplingDefaults());
  CHECK(read("{") == SamplingDefaults());
  CHECK(warnings.size() == 6);

  Metadata metadata("tiny.gguf");
  metadata.add("general.sampling.temp", 0.5);
  metadata.add("general.sampling.top_k", int64_t{-1});
  metadata.add("general.sampling.penalty_repeat", 1.5);
  metadata.add("general.sampling.top_p", std::string("x"));
  const SamplingDefaults gguf = read_gguf_sampling(metadata, warnings);
  CHECK(gguf.temperature == 0.5F);
  CHECK(gguf.top_k == 0);
  CHECK(gguf.repeat_penalty == 1.5F);
  CHECK_FALSE(gguf.top_p);
  CHECK(warnings.size() == 7);
}

TEST_CASE("marks of reasoning are shown, so that it can be told from the answer") {
  const auto tokenizer = make_tokenizer(Gguf({"[THINK]", "[/THINK]", "<|channel|>", "[INST]"}).metadata());
  CHECK(tokenizer->decode({1, 0, 2, 3, 4, 0}) == "[THINK]a[/THINK]<|channel|>a");
}

TEST_CASE("the rule 'default' on a vocabulary that is known to want another one is warned of") {
  const auto warnings = [](const Names& tokens, const char* rule) {
    Metadata metadata = Gguf(tokens).metadata();
    metadata.remove("tokenizer.ggml.pre");
    metadata.add("tokenizer.ggml.pre", std::string(rule));
    return make_tokenizer(metadata)->warnings();
  };
  const Names llama3 = {"<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>"};
  REQUIRE(warnings(llama3, "default").size() == 1);
  CHECK(warnings(llama3, "default")[0].find("'llama-bpe'") != std::string::npos);
  CHECK(warnings(llama3, "llama-bpe").empty());
  CHECK(warnings({"<|im_start|>", "<|object_ref_start|>"}, "default")[0].find("'qwen2'") != std::string::npos);
  // Qwen 1.5 and the first Qwen 2 have no other special tokens. They are known by where these stand.
  Names qwen(151'642, "");
  for (size_t i = 0; i < qwen.size(); ++i) qwen[i] = std::to_string(i);
  for (const char* name : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) qwen.emplace_back(name);
  REQUIRE(warnings(qwen, "default").size() == 1);
  CHECK(warnings(qwen, "default")[0].find("'qwen2'") != std::string::npos);
  CHECK(warnings({"<|endoftext|>", "<|im_start|>"}, "default").empty());
  CHECK(warnings({"<s>"}, "default").empty());
}

TEST_CASE("Gemma 4's tokenizer gives a BOS whatever the file says, as in llama.cpp") {
  const auto adds_bos = [](const char* rule, std::optional<bool> says) {
    Gguf file({"<s>"});
    file.ids["bos"] = 1;
    Metadata metadata = file.metadata();
    metadata.remove("tokenizer.ggml.pre");
    metadata.add("tokenizer.ggml.pre", std::string(rule));
    if (says) metadata.add("tokenizer.ggml.add_bos_token", *says);
    return make_tokenizer(metadata)->adds_bos();
  };
  CHECK(adds_bos("gemma4", false));
  CHECK(adds_bos("gemma4", std::nullopt));
  CHECK_FALSE(adds_bos("gpt-2", false));
  CHECK_FALSE(adds_bos("llama-bpe", false));
  CHECK(adds_bos("llama-bpe", std::nullopt));
}

}  // namespace emelex
