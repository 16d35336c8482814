#pragma once

#include <cstdint>
#include <string>

#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// How a number or string is to be written: the parts of Python's format specification, which printf's share.
// https://docs.python.org/3/library/string.html#format-specification-mini-language
struct FormatSpec {
  Text fill = Text(" ");
  char align = 0;   // '<', '>', '^', '='; 0: the type's own
  char sign = '-';  // '+', '-', ' '
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;   // ',' or '_'; 0: none
  int precision = -1;  // -1: none
  char type = 0;       // 0: none
};

// Sign and digits of a number, without padding. Fails on a type that is not for such numbers.
struct Digits {
  std::string sign;  // and 0x or the like
  std::string digits;
};
Digits integer_digits(Evaluator& evaluator, int64_t number, const FormatSpec& spec);
Digits float_digits(Evaluator& evaluator, double number, const FormatSpec& spec);

}  // namespace emelex::jinja
