#include "hub/names.h"

#include <doctest/doctest.h>

#include "emelex/hub.h"

using namespace emelex;

TEST_CASE("a name is made from the file's name") {
  CHECK(derive_model_name("SmolLM2-135M-Instruct.Q4_1.gguf", "") == "smollm2-135m-instruct:q4_1");
  CHECK(derive_model_name("/some/where/Llama-3.2-1B-Instruct-Q4_K_M.gguf", "q6_k") == "llama-3.2-1b-instruct:q4_k_m");
  CHECK(derive_model_name("Qwen2.5-0.5B-GGUF.gguf", "Q8_0") == "qwen2.5-0.5b:q8_0");
  CHECK(derive_model_name("big-F16-00001-of-00003.gguf", "") == "big:f16");
  CHECK(derive_model_name("model.gguf", "") == "model");
  CHECK(derive_model_name("Qwen3-4B-UD-Q4_K_XL.gguf", "") == "qwen3-4b:ud-q4_k_xl");
  CHECK(derive_model_name("X.i1-Q4_K_M.gguf", "") == "x:i1-q4_k_m");
  CHECK(derive_model_name("l-Q4_K_M-imat.gguf", "") == "l:q4_k_m");
  CHECK(derive_model_name("default.gguf", "") == "default-model");
}

TEST_CASE("whatever the file is called, the name made from it is a valid one") {
  const std::string all_bytes = [] {
    std::string bytes;
    for (int c = 1; c < 256; ++c) {
      if (c != '/') bytes += static_cast<char>(c);
    }
    return bytes;
  }();
  for (const std::string& file : {std::string("..gguf"), std::string("..."), std::string("C++ & more.gguf"), all_bytes,
                                  std::string(1000, 'x'), std::string("-q4_0.gguf"), std::string(".q4_0.gguf")}) {
    const std::string name = derive_model_name(file, "weird type");
    CAPTURE(name);
    CHECK_NOTHROW(check_model_name(name));
  }
}

TEST_CASE("hostile names are refused") {
  for (const char* name : {"",         ".",  "..", "../x", "a/b", "a\\b", "/a",       "a:",  ":a",    "a:b:c", "a\n",
                           "\x1b[31m", ".a", "a.", "A",    "a b", "a+b",  "\xc3\xa9", "nul", "con.x", "com1",  "-a"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(check_model_name(name), Error);
  }
  CHECK_THROWS_AS(check_model_name(std::string(129, 'a')), Error);
  CHECK_THROWS_AS(check_model_name(std::string_view("a\0b", 3)), Error);
}

TEST_CASE("a new model can't have the name that stands for the chosen one") {
  CHECK_THROWS_AS(check_new_name("default"), Error);
  CHECK_NOTHROW(check_new_name("default:q4_0"));
  CHECK_NOTHROW(check_model_name("default"));  // one that is there already is still found
}

TEST_CASE("a name's folder is safe on every system and belongs to it alone") {
  CHECK(folder_of_name("a:q4_0") == "a+q4_0");
  CHECK(folder_of_name("a-q4_0") == "a-q4_0");
}

TEST_CASE("a slip finds the name that was meant") {
  const std::vector<std::string> names = {"llama-3.2-1b:q4_k_m", "qwen3-4b:q8_0", "smollm2-135m-instruct:q4_1"};
  CHECK(similar_names("smolm2-135m-instruct", names) == std::vector<std::string>{"smollm2-135m-instruct:q4_1"});
  CHECK(similar_names("QWEN3", names) == std::vector<std::string>{"qwen3-4b:q8_0"});
  CHECK(similar_names("mistral-nemo", names).empty());
}

TEST_CASE("what is quoted can't act on a terminal") { CHECK(in_quotes("a\x1b[2J\n") == "'a?[2J?'"); }
