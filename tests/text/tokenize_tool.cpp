// The tokenizer's side of tests/differential/tokens_check.py:
//
//   tokenize_tool MODEL MODE STRINGS IDS [PRE]
//
// MODEL is a .gguf file, a folder with a tokenizer, or a tokenizer's file.
// STRINGS holds strings, each after its length (32 bits, little endian); IDS gets for each the number of its ids and
// the ids, 32 bits each. MODE is "parse" or "text" (see SpecialTokens), or "decode": then STRINGS are lists of ids of
// 32 bits, and IDS gets the text of each, after its length. PRE takes the place of tokenizer.ggml.pre. Prints the
// seconds that loading the vocabulary and encoding took.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "text/files/gguf_tokenizer.h"
#include "text/files/tokenizer_factory.h"
#include "text/files/tokenizer_files.h"

namespace {

using emelex::Metadata;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

emelex::TokenizerSource with_pre_tokenizer(const emelex::TokenizerSource& source, const std::string& name) {
  const Metadata& metadata = source.keys();
  Metadata changed(metadata.source());
  for (const auto& [key, value] : metadata.values()) {
    changed.add(key, key == "tokenizer.ggml.pre" ? Metadata::Value(name) : value);
  }
  return emelex::gguf_tokenizer_source(std::make_shared<const Metadata>(std::move(changed)));
}

std::vector<std::string> read_strings(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> strings;
  for (size_t at = 0; at + 4 <= bytes.size();) {
    uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at, 4);
    strings.push_back(bytes.substr(at + 4, length));
    at += 4 + length;
  }
  return strings;
}

int decode(const emelex::Tokenizer& tokenizer, const std::vector<std::string>& lists, const char* path) {
  std::ofstream file(path, std::ios::binary);
  for (const std::string& list : lists) {
    std::vector<int32_t> ids(list.size() / sizeof(int32_t));
    // An empty list has no bytes, and memcpy takes no null.
    if (!ids.empty()) std::memcpy(ids.data(), list.data(), ids.size() * sizeof(int32_t));
    const std::string text = tokenizer.decode(ids);
    const auto length = static_cast<uint32_t>(text.size());
    file.write(reinterpret_cast<const char*>(&length), sizeof length);
    file << text;
  }
  std::cout << '\n';
  return file ? 0 : 1;
}

int run(char** arguments, int n) {
  const std::string mode = arguments[2];
  const std::vector<std::string> strings = read_strings(arguments[3]);
  const auto load_start = Clock::now();
  emelex::TokenizerSource source = emelex::read_tokenizer_source(arguments[1]);
  if (n > 5) source = with_pre_tokenizer(source, arguments[5]);
  const auto tokenizer = emelex::make_tokenizer(source);
  std::cout << "load " << seconds_since(load_start);
  if (mode == "decode") return decode(*tokenizer, strings, arguments[4]);
  const bool parse = mode == "parse";

  std::vector<int32_t> out;
  const auto encode_start = Clock::now();
  for (const std::string& string : strings) {
    const auto ids = tokenizer->encode(string, parse ? emelex::SpecialTokens::parse : emelex::SpecialTokens::as_text);
    out.push_back(static_cast<int32_t>(ids.size()));
    out.insert(out.end(), ids.begin(), ids.end());
  }
  std::cout << " encode " << seconds_since(encode_start) << '\n';

  std::ofstream file(arguments[4], std::ios::binary);
  file.write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(int32_t)));
  return file ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "tokenize_tool MODEL parse|text|decode STRINGS IDS [PRE]\n";
    return 2;
  }
  try {
    return run(argv, argc);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
