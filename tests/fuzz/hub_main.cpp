// libFuzzer's way into one of hub_fuzz.h's functions, EMELEX_FUZZ.
#include "fuzz/hub_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  (void)emelex::EMELEX_FUZZ(std::as_bytes(std::span(data, size)));
  return 0;
}
