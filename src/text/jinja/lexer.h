#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/source.h"

namespace emelex::jinja {

enum class TokenKind {
  data,          // text outside of tags
  output_begin,  // {{
  output_end,
  block_begin,  // {%
  block_end,
  name,
  integer,
  floating,
  string,
  symbol,  // an operator or bracket
  end,
};

struct Token {
  TokenKind kind;
  uint32_t offset;   // in the source
  std::string text;  // of a string: its value
};

// Cuts a template into tokens, with white space around tags handled as with trim_blocks and lstrip_blocks, which is how
// chat templates are meant. Throws Error(corrupt_file) with the place.
std::vector<Token> lex(const Source& source);

}  // namespace emelex::jinja
