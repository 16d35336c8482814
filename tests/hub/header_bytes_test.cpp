#include "hub/header_bytes.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

using namespace emelex;

namespace {

template <class T>
std::string bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string text(std::string_view value) { return bytes<uint64_t>(value.size()) + std::string(value); }

std::string gguf() {
  std::string file = "GGUF" + bytes<uint32_t>(3) + bytes<uint64_t>(2) + bytes<uint64_t>(4);
  file += text("general.architecture") + bytes<uint32_t>(8) + text("llama");
  file += text("llama.context_length") + bytes<uint32_t>(4) + bytes<uint32_t>(2048);
  file += text("tokens") + bytes<uint32_t>(9) + bytes<uint32_t>(8) + bytes<uint64_t>(2) + text("a") + text("bc");
  file += text("scores") + bytes<uint32_t>(9) + bytes<uint32_t>(6) + bytes<uint64_t>(3) + std::string(12, 's');
  for (const char* name : {"one", "two"}) {
    file += text(name) + bytes<uint32_t>(2) + bytes<uint64_t>(4) + bytes<uint64_t>(8) + bytes<uint32_t>(0);
    file += bytes<uint64_t>(0);
  }
  return file;
}

std::optional<size_t> header(std::string_view file) { return gguf_header_bytes(std::as_bytes(std::span(file))); }

}  // namespace

TEST_CASE("a GGUF's header is found as soon as it is there, and not before") {
  const std::string head = gguf();
  const std::string file = head + std::string(100, 'w');
  for (size_t n = 0; n <= file.size(); ++n) {
    CAPTURE(n);
    const auto found = header(std::string_view(file).substr(0, n));
    CHECK(found == (n < head.size() ? std::nullopt : std::optional(head.size())));
  }
}

TEST_CASE("what is no GGUF needs no more bytes") {
  std::string huge =
      "GGUF" + bytes<uint32_t>(3) + bytes<uint64_t>(0) + bytes<uint64_t>(1) + bytes<uint64_t>(~uint64_t{0});
  std::string nested = "GGUF" + bytes<uint32_t>(3) + bytes<uint64_t>(0) + bytes<uint64_t>(1) + text("x");
  for (int i = 0; i < 100; ++i) nested += bytes<uint32_t>(9) + (i == 0 ? "" : bytes<uint64_t>(1));
  for (const std::string& file :
       {std::string(100, 'x'), "GGUF" + bytes<uint32_t>(99) + std::string(50, 'x'), huge, nested}) {
    CHECK(header(file) == file.size());
  }
}

TEST_CASE("the header of SafeTensors is as long as it says") {
  const std::string file = bytes<uint64_t>(5) + "{...}" + "weights";
  for (size_t n = 0; n <= file.size(); ++n) {
    const auto found = safetensors_header_bytes(std::as_bytes(std::span(std::string_view(file).substr(0, n))));
    CHECK(found == (n < 13 ? std::nullopt : std::optional<size_t>(13)));
  }
  const std::string no_end = bytes<uint64_t>(~uint64_t{0}) + "x";
  CHECK(safetensors_header_bytes(std::as_bytes(std::span(std::string_view(no_end)))) == no_end.size());
}
