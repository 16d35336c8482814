#include "hub/select_files.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/expect_error.h"
#include "emelex/hub.h"
#include "hub/aliases.h"
#include "hub/names.h"
#include "hub/reference.h"

using namespace emelex;

namespace {

RepoInfo repository(const std::vector<std::string>& paths) {
  RepoInfo info{.repo = "org/name", .commit = std::string(40, 'a')};
  for (const std::string& path : paths) info.files.push_back({path, 1, std::string(64, '0')});
  return info;
}

std::vector<std::string> selected(const RepoInfo& info, const std::string& wanted = "",
                                  const std::string& include = "") {
  std::vector<std::string> paths;
  for (const RemoteFile& file : select_files(info, wanted, include).files) paths.push_back(file.path);
  return paths;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("a file's name says how its weights are quantized") {
  CHECK(quantization_of_file("Llama-3.2-1B-Instruct-Q4_K_M.gguf") == "q4_k_m");
  CHECK(quantization_of_file("BF16/model.BF16-00001-of-00004.gguf") == "bf16");
  CHECK(quantization_of_file("Llama-3.2-1B.gguf").empty());
}

TEST_CASE("of several quantizations the wanted one is taken, else the usual one") {
  const RepoInfo info =
      repository({"m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q4_0.gguf", "m-imatrix.gguf", "mmproj-m-f16.gguf"});
  CHECK(selected(info) == Paths{"m-Q4_K_M.gguf"});
  CHECK(selected(info, "Q8_0") == Paths{"m-Q8_0.gguf"});
  CHECK(selected(info, "m-q4_0.gguf") == Paths{"m-Q4_0.gguf"});
  CHECK(selected(info, "", "*Q8*") == Paths{"m-Q8_0.gguf"});
  expect_error(ErrorCode::not_found, {"q4_0, q4_k_m, q8_0"}, [&] { selected(info, "q5_k_m"); });
}

TEST_CASE("all files of a model in several are taken, in order") {
  const RepoInfo info =
      repository({"Q8_0/m-Q8_0-00002-of-00002.gguf", "Q8_0/m-Q8_0-00001-of-00002.gguf", "m-Q2_K.gguf"});
  CHECK(selected(info, "q8_0") == Paths{"Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf"});
}

TEST_CASE("quantizations are named as people write them") {
  const RepoInfo info =
      repository({"Qwen3-4B-Q4_K_M.gguf", "Qwen3-4B-UD-Q4_K_XL.gguf", "Qwen3-4B-BF16.gguf", "imatrix_unsloth.gguf"});
  for (const char* wanted :
       {"UD-Q4_K_XL", "ud-q4_k_xl", "Q4_K_XL", "Qwen3-4B-UD-Q4_K_XL", "qwen3-4b-ud-q4_k_xl.gguf"}) {
    CAPTURE(wanted);
    CHECK(selected(info, wanted) == Paths{"Qwen3-4B-UD-Q4_K_XL.gguf"});
  }
  CHECK(selected(info) == Paths{"Qwen3-4B-Q4_K_M.gguf"});
  expect_error(ErrorCode::not_found, {"bf16, q4_k_m, ud-q4_k_xl"}, [&] { selected(info, "Q5_0"); });
  const RepoInfo both = repository({"b-Q4_K_XL.gguf", "b-UD-Q4_K_XL.gguf"});
  CHECK(selected(both, "q4_k_xl") == Paths{"b-Q4_K_XL.gguf"});
  CHECK(selected(both, "ud-q4_k_xl") == Paths{"b-UD-Q4_K_XL.gguf"});
  CHECK(selected(repository({"X.i1-Q4_K_M.gguf", "X.i1-IQ3_M.gguf"})) == Paths{"X.i1-Q4_K_M.gguf"});
  CHECK(selected(repository({"m-MXFP4_MOE.gguf", "m-Q8_0.gguf"}), "mxfp4") == Paths{"m-MXFP4_MOE.gguf"});
  CHECK(selected(repository({"l-Q4_K_M-imat.gguf", "l-Q5_K_M-imat.gguf"})) == Paths{"l-Q4_K_M-imat.gguf"});
  CHECK(selected(repository({"p-fp16.gguf", "p-q4.gguf"}), "q4") == Paths{"p-q4.gguf"});
  CHECK(selected(repository({"my model Q4_K_M.gguf", "other-Q8_0.gguf"}), "Q4_K_M") == Paths{"my model Q4_K_M.gguf"});
  CHECK(selected(repository({"m-Q4_K_M.gguf", "MTP/m-MTP-Q4_K_M.gguf"})) == Paths{"m-Q4_K_M.gguf"});
  CHECK(selected(repository({"Q4_K_M/b-00001-of-00002.gguf", "Q4_K_M/b-00002-of-00002.gguf", "b-Q8_0.gguf"}), "q4_k_m")
            .size() == 2);
}

TEST_CASE("what is asked for exactly is never taken for something near it") {
  expect_error(ErrorCode::not_found, {"q4_0_4_4"}, [] {
    selected(repository({"m-Q4_0_4_4.gguf", "m-F16.gguf"}), "q4_0");
  });
  expect_error(ErrorCode::not_found, {"q6_k_l"}, [] { selected(repository({"m-Q6_K_L.gguf", "m-F16.gguf"}), "q6_k"); });
}

TEST_CASE("a projector of images is no model") {
  CHECK(selected(repository({"moondream2-text-model-f16.gguf", "moondream2-mmproj-f16.gguf"})) ==
        Paths{"moondream2-text-model-f16.gguf"});
  CHECK(selected(repository({"g-q4_0.gguf", "mmproj-model-f16-4B.gguf"})) == Paths{"g-q4_0.gguf"});
}

TEST_CASE("every choice that a message names is one") {
  const std::vector<Paths> repositories = {
      {"Step-APEX-Balanced.gguf", "Step-APEX-I-Balanced.gguf", "Step-APEX-Compact.gguf"},
      {"small-Q4_0.gguf", "large-Q4_0.gguf"},
      {"m.gguf", "m-chat.gguf"},
      {"a/m-Q4_0.gguf", "b/m-Q4_0.gguf"},
      {"X.i1-Q4_K_M.gguf", "X.Q4_K_M.gguf"}};
  for (const Paths& paths : repositories) {
    const RepoInfo info = repository(paths);
    std::vector<std::string> tags;
    for (const std::string& path : paths) {
      const Selection by_path = select_files(info, path, "");
      REQUIRE(by_path.files.size() == 1);
      CHECK(by_path.files[0].path == path);
      CAPTURE(by_path.quantization);
      CHECK(selected(info, by_path.quantization) == Paths{path});
      tags.push_back(by_path.quantization);
    }
    std::sort(tags.begin(), tags.end());
    CHECK(std::adjacent_find(tags.begin(), tags.end()) == tags.end());  // so no two get one name here
  }
}

TEST_CASE("two models of one quantization have to be told apart") {
  const RepoInfo info = repository({"small-Q4_0.gguf", "large-Q4_0.gguf"});
  expect_error(ErrorCode::not_found, {"large-Q4_0.gguf", "small-Q4_0.gguf"}, [&] { selected(info, "q4_0"); });
  CHECK(selected(info, "small-q4_0") == Paths{"small-Q4_0.gguf"});
}

TEST_CASE("of a folder of SafeTensors what is needed is taken, weights last") {
  const RepoInfo info = repository({"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                    "consolidated.safetensors", "pytorch_model.bin", "config.json", "tokenizer.json",
                                    "modeling.py", "onnx/model.safetensors", "model.safetensors.index.json",
                                    "additional_chat_templates/tool_use.jinja", "additional_chat_templates/x/y.jinja"});
  CHECK(selected(info) == Paths{"additional_chat_templates/tool_use.jinja", "config.json",
                                "model.safetensors.index.json", "tokenizer.json", "model-00001-of-00002.safetensors",
                                "model-00002-of-00002.safetensors"});
  const auto refused = [](const std::vector<std::string>& files, std::string_view what) {
    CAPTURE(what);
    expect_error(ErrorCode::unsupported, {"org/name", "neither", what}, [&] { selected(repository(files)); });
  };
  refused({"config.json", "pytorch_model.bin"}, "PyTorch's format");
  refused({"adapter_config.json", "adapter_model.safetensors"}, "a LoRA adapter without its model");
  refused({"params.json", "consolidated.safetensors", "tekken.json"}, "Mistral's own format");
  refused({"README.md"}, "look for a repository");
}

TEST_CASE("names that lead elsewhere are refused") {
  for (const char* path : {"../a.gguf", "/a.gguf", "a/../b.gguf", "a//b.gguf", ".a.gguf", "a/.b/c.gguf", "a\\b.gguf",
                           "a\nb.gguf", "c:a.gguf"}) {
    expect_error(ErrorCode::network, {"org/name"}, [&] { selected(repository({path})); });
  }
  expect_error(ErrorCode::network, {"Manifest.json"}, [&] { check_remote_path("Manifest.json", "org/name"); });
  expect_error(ErrorCode::network, {"manifest.json/x"}, [&] { check_remote_path("manifest.json/x", "org/name"); });
  expect_error(ErrorCode::network, {"two files"}, [&] { selected(repository({"a/m.gguf", "A/m.gguf"}), "", "*"); });
  CHECK_NOTHROW(check_remote_path("a/b c/ä.gguf", "org/name"));
}

TEST_CASE("what a user types is an alias, a repository, or neither") {
  const auto parsed = [](const char* text) {
    const auto reference = parse_reference(text);
    return reference ? reference->repo + "|" + reference->wanted + "|" + reference->usual : "";
  };
  CHECK(parsed("org/name") == "org/name||");
  CHECK(parsed("org/name:Q4_K_M") == "org/name|Q4_K_M|");
  CHECK(parsed("https://huggingface.co/org/name") == "org/name||");
  CHECK(parsed("https://huggingface.co/org/name/") == "org/name||");
  CHECK(parsed("HF.co/org/name:Q4_0") == "org/name|Q4_0|");
  CHECK(parsed("http://huggingface.co/org/name:Q4_0") == "org/name|Q4_0|");
  CHECK(parsed("hf://org/name") == "org/name||");
  CHECK(parsed("org/name:latest") == "org/name||");
  CHECK(parsed("org/name/a-Q4_0.gguf") == "org/name|a-Q4_0.gguf|");
  CHECK(parsed("https://huggingface.co/org/name/resolve/main/b/a.gguf?download=true") == "org/name|b/a.gguf|");
  CHECK(parsed("https://huggingface.co/org/name/blob/v2/a.gguf") == "org/name|a.gguf|");
  CHECK(parse_reference("https://huggingface.co/org/name/blob/v2/a.gguf")->revision == "v2");
  CHECK(parse_reference("org/name@v2:Q4_0")->revision == "v2");
  CHECK(parsed("org/name@v2:Q4_0") == "org/name|Q4_0|");
  CHECK(parsed("https://evil.example/org/name").empty());
  CHECK(parsed("SmolLM2:135m") == "bartowski/SmolLM2-135M-Instruct-GGUF||Q8_0");
  for (const char* text :
       {"", "name", "a/b/c", "/a", "a/", "./a", "../a", "a/..", "org/name:", "org/na me", "org/na\nme"}) {
    CHECK_MESSAGE(parsed(text).empty(), text);
  }
}

TEST_CASE("every alias is a possible name of a repository with a quantization") {
  CHECK(std::is_sorted(aliases().begin(), aliases().end(),
                       [](const Alias& a, const Alias& b) { return a.name < b.name; }));
  for (const Alias& alias : aliases()) {
    CHECK_NOTHROW(check_model_name(alias.name));
    CHECK_NOTHROW(check_repo_name(std::string(alias.repo)));
    CHECK(is_quantization(to_lower(alias.quantization)));
  }
}

TEST_CASE("where none is named, the user's quantization comes before an alias's own, and that before the usual ones") {
  const RepoInfo info = repository({"m-Q4_K_M.gguf", "m-Q5_K_M.gguf", "m-Q8_0.gguf"});
  const auto taken = [&](const std::string& preferred, const std::string& usual, const std::string& wanted = "") {
    return select_files(info, wanted, "", preferred_quantizations(preferred, usual)).quantization;
  };
  CHECK(taken("", "") == "q4_k_m");
  CHECK(taken("", "Q8_0") == "q8_0");
  CHECK(taken("q5_k_m", "Q8_0") == "q5_k_m");
  CHECK(taken("q6_k", "Q8_0") == "q8_0");
  CHECK(taken("q6_k", "") == "q4_k_m");
  CHECK(taken("q5_k_m", "Q8_0", "Q4_K_M") == "q4_k_m");
}
