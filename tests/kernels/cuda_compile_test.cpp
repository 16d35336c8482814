// That every GPU kernel compiles, which needs no GPU: only NVRTC, of the Python package nvidia-cuda-nvrtc for example.
#include <doctest/doctest.h>

#include <sstream>
#include <string_view>

#include "base/expect_error.h"
#include "base/strings.h"
#include "kernels/cuda/compiler.h"
#include "kernels/cuda/kernel_texts.h"

using namespace emelex;
using emelex::cuda::KernelText;

namespace {

bool has_compiler() {
  try {
    cuda::compiler_version();
    return true;
  } catch (const Error& error) {
    MESSAGE("skipped: " << std::string(error.what()));
    return false;
  }
}

// `every`: of each kernel all forms that models have asked for, else the least and the most.
std::vector<KernelText> all_texts(bool every) {
  std::vector<KernelText> texts{{"elementwise", {}}};
  for (const char* format : {"4 32 0", "4 32 1", "4 16 0", "4 16 1", "8 32 0", "8 32 1", "8 16 0", "16 0 0"}) {
    std::string bits;
    std::string group;
    std::string minimum;
    std::istringstream(format) >> bits >> group >> minimum;
    const std::vector<std::string> defines{"BITS=" + bits, "GROUP=" + group, "MINIMUM=" + minimum};
    texts.push_back({"pack", defines});
    for (const char* fused : {"0 0", "0 1", "1 1"}) {
      if (!every && *fused == '0') continue;
      std::vector<std::string> around = defines;
      around.insert(around.end(),
                    {std::string("GATED=") + fused[0], std::string("NORMED=") + fused[2], "COLUMNS=3072"});
      if (bits != "16") {
        texts.push_back({"single", around});
        texts.back().defines.insert(texts.back().defines.end(), {"WARPS=12", "AHEAD=2", "BLOCKS=2"});
      }
      for (const char* columns : {"1", "4"}) {
        texts.push_back({"few", around});
        texts.back().defines.insert(texts.back().defines.end(), {"WARPS=8", "AHEAD=2", "BLOCKS=1", "CLUSTER=4"});
        texts.back().defines.push_back(std::string("NT=") + columns);
        texts.back().defines.push_back(*columns == '1' ? "BUFFERS=1" : "BUFFERS=2");
      }
    }
    for (const char* columns : {"1", "2", "4", "8"}) {
      if (!every && (*columns == '2' || *columns == '4')) continue;
      texts.push_back({"product", defines});
      texts.back().defines.push_back(std::string("NT=") + columns);
      texts.back().defines.push_back(*columns == '1' ? "RT=1" : "RT=2");
      texts.back().defines.push_back(*columns == '1' && bits != "16" ? "WARPS=16" : "WARPS=8");
    }
  }
  for (const char* shape : {"64 64 3 3", "80 128 1 1", "96 128 4 4", "128 128 8 4", "256 256 2 2"}) {
    std::string dim;
    std::string padded;
    std::string group;
    std::string heads;
    if (!every && std::string_view(shape) != "128 128 8 4") continue;
    std::istringstream(shape) >> dim >> padded >> group >> heads;
    for (const char* kv : {"16", "32"}) {
      for (const char* file : {"attention", "attention_single", "attention_prompt"}) {
        if (std::string_view(file) == "attention_prompt" && (std::string_view(kv) == "32" || padded == "256")) continue;
        texts.push_back(
            {file,
             {"HEAD_DIM=" + dim, "PADDED_DIM=" + padded, "GROUP=" + group, "HEADS=" + heads, std::string("KV=") + kv}});
        if (std::string_view(file) == "attention_single") texts.back().defines.emplace_back("BLOCKS=3");
      }
    }
  }
  return texts;
}

}  // namespace

TEST_CASE("every GPU kernel compiles for Ampere, Hopper and Blackwell") {
  if (!has_compiler()) return;
  for (const char* architecture : {"sm_80", "sm_90a", "sm_120"}) {
    for (const KernelText& text : all_texts(std::string_view(architecture) == "sm_90a")) {
      if (text.file == "few" && std::string_view(architecture) == "sm_80") continue;  // it has no clusters
      std::string name = str_cat(architecture, " ", text.file);
      for (const std::string& define : text.defines) name += " " + define;
      CAPTURE(name);
      CHECK(cuda::compile(text, architecture).compare(1, 3, "ELF") == 0);
    }
  }
}

TEST_CASE("a kernel that does not compile is an error with the compiler's first complaint") {
  if (!has_compiler()) return;
  expect_error(ErrorCode::device, {"[cuda]", "product.cu", "sm_90", "BITS"}, [] {
    cuda::compile({"product", {"NT=1", "RT=1"}}, "sm_90");
  });
  expect_error(ErrorCode::device, {"[cuda]", "elementwise.cu", "sm_1"}, [] {
    cuda::compile({"elementwise", {}}, "sm_1");
  });
}
