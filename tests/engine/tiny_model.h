#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/engine.h"

namespace emelex::test {

// Which token comes after which.
using Script = std::map<TokenId, TokenId>;

// "user: …\n" for each message, then "bot: ", between the vocabulary's control tokens.
extern const char* const kTinyTemplate;

struct TinyModel {
  int context = 128;
  uint32_t seed = 1;                          // of random weights
  std::string chat_template = kTinyTemplate;  // empty: none
  int longrope_after = 0;                     // tokens; LongRoPE's other divisors hold for longer sequences; 0: none
  int window = 0;                             // of all layers; 0: none
  bool biases = false;                        // of queries and keys
  int experts = 0;                            // of random weights' MLPs, of which a token uses two; 0: plain MLPs
  int extra_rows = 0;                         // of the embedding table, that the vocabulary has no tokens for
};

// Llama files of a few hundred kB over the vocabulary of text/tiny_vocabulary.h: 256 bytes and a few more.
// This one has random weights, so all of a Llama's parts matter, and makes bytes that are mostly no UTF-8.
void write_random_model(const std::filesystem::path& path, const TinyModel& model = {});

// This one goes from each token to the script's next whatever came before, and ends the turn after all others. Exact,
// at any temperature.
void write_scripted_model(const std::filesystem::path& path, const Script& script, const TinyModel& model = {});

// A script that says `text` after the token `start`, byte by byte; no byte may come up twice. The last one ends the
// turn.
Script say(TokenId start, std::string_view text);

}  // namespace emelex::test
