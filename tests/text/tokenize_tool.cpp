// The tokenizer's side of tests/differential/tokens_check.py:
//
//   tokenize_tool MODEL MODE STRINGS IDS [PRE]
//
// STRINGS holds strings, each after its length (32 bits, little endian); IDS gets for each the number of its ids and
// the ids, 32 bits each. MODE is "parse" or "text" (see SpecialTokens). PRE takes the place of tokenizer.ggml.pre.
// Prints the seconds that loading the vocabulary and encoding took.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "text/tokenizer_factory.h"
#include "weights/weights.h"

namespace {

using emelex::Metadata;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Metadata with_pre_tokenizer(const Metadata& metadata, const std::string& name) {
  Metadata changed(metadata.source());
  for (const auto& [key, value] : metadata.values()) {
    changed.add(key, key == "tokenizer.ggml.pre" ? Metadata::Value(name) : value);
  }
  return changed;
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

int run(char** arguments, int n) {
  const auto weights = emelex::open_weights(arguments[1]);
  const bool parse = std::string(arguments[2]) == "parse";
  const std::vector<std::string> strings = read_strings(arguments[3]);
  const Metadata metadata = n > 5 ? with_pre_tokenizer(weights->metadata(), arguments[5]) : weights->metadata();

  const auto load_start = Clock::now();
  const auto tokenizer = emelex::make_tokenizer(metadata);
  std::cout << "load " << seconds_since(load_start);

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
    std::cerr << "tokenize_tool MODEL parse|text STRINGS IDS [PRE]\n";
    return 2;
  }
  try {
    return run(argv, argc);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
