// Linked without emelex::models, whose files bring the families.
#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "weights/safetensors/hf_families.h"
#include "weights/tiny_safetensors.h"

namespace emelex {
namespace {

TEST_CASE("A program without models says so when it opens a folder") {
  CHECK(hf_families().names().empty());
  expect_error(ErrorCode::unsupported, {"model_type", "emelex::models", "'llama'", "tiny/config.json"},
               [] { (void)read_tiny(tiny_llama_config(), safetensors(tiny_llama_tensors())); });
}

}  // namespace
}  // namespace emelex
