#include "text/jinja/number_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/strings.h"

namespace emelex::jinja {
namespace {

constexpr int kMostPrecision = 400;

std::string sign_text(bool negative, char sign) {
  if (negative) return "-";
  return sign == '-' ? std::string() : std::string(1, sign);
}

void group_digits(std::string& digits, char grouping, size_t every) {
  size_t end = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  for (; end > every; end -= every) digits.insert(end - every, 1, grouping);
}

std::string in_base(uint64_t number, unsigned base, bool upper) {
  const char* kDigits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[number % base]);
    number /= base;
  } while (number > 0);
  return digits;
}

std::string printed(const FormatSpec& spec, char type, int precision, double number) {
  const std::string format = str_cat('%', spec.alternate ? "#" : "", ".*", type);
  const int size = std::snprintf(nullptr, 0, format.c_str(), precision, number);
  std::string out(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(out.data(), out.size(), format.c_str(), precision, number);
  out.pop_back();
  return out;
}

// As repr() writes it, or with `precision` digits as %g does, but always with a digit after the point.
std::string shortest(const FormatSpec& spec, double number) {
  if (spec.precision < 0) return float_repr(number);
  std::string out = printed(spec, 'g', std::max(spec.precision, 1), number);
  const size_t exponent = out.find('e');
  if (exponent == std::string::npos && out.find('.') == std::string::npos) {
    // One digit more than asked for would have to stand before the point: then it is written with an exponent.
    const bool full = static_cast<int>(out.size()) >= std::max(spec.precision, 1) && spec.precision > 0;
    return full ? printed(spec, 'e', spec.precision - 1, number) : out + ".0";
  }
  return out;
}

}  // namespace

Digits integer_digits(Evaluator& evaluator, int64_t number, const FormatSpec& spec) {
  const bool negative = number < 0;
  const uint64_t size = negative ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  Digits out{sign_text(negative, spec.sign), ""};
  switch (spec.type) {
    case 0:
    case 'd':
    case 'n':
      out.digits = std::to_string(size);
      break;
    case 'x':
    case 'X':
      if (spec.alternate) out.sign += spec.type == 'x' ? "0x" : "0X";
      out.digits = in_base(size, 16, spec.type == 'X');
      break;
    case 'o':
      if (spec.alternate) out.sign += "0o";
      out.digits = in_base(size, 8, false);
      break;
    case 'b':
      if (spec.alternate) out.sign += "0b";
      out.digits = in_base(size, 2, false);
      break;
    default:
      return float_digits(evaluator, static_cast<double>(number), spec);
  }
  if (spec.precision >= 0) evaluator.fail("expected no precision for an integer, got one");
  const bool decimal = spec.type == 0 || spec.type == 'd' || spec.type == 'n';
  if (spec.grouping != 0) group_digits(out.digits, spec.grouping, decimal ? 3 : 4);
  return out;
}

Digits float_digits(Evaluator& evaluator, double number, const FormatSpec& spec) {
  if (spec.precision > kMostPrecision) evaluator.fail(str_cat("expected a precision of at most ", kMostPrecision));
  Digits out{sign_text(std::signbit(number) && !std::isnan(number), spec.sign), ""};
  const double size = std::fabs(number);
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  const std::string_view kTypes = "eEfFgGn%";
  if (spec.type != 0 && kTypes.find(spec.type) == std::string_view::npos) {
    evaluator.fail(str_cat("expected a format for numbers, got ", quote_bytes(std::string_view(&spec.type, 1))));
  }
  if (!std::isfinite(number)) {
    const bool upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
    out.digits = std::isnan(number) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
  } else if (spec.type == 0) {
    out.digits = shortest(spec, size);
  } else if (spec.type == '%') {
    out.digits = printed(spec, 'f', precision, size * 100);
  } else {
    out.digits = printed(spec, spec.type == 'n' ? 'g' : spec.type, precision, size);
  }
  if (spec.grouping != 0) group_digits(out.digits, spec.grouping, 3);
  if (spec.type == '%') out.digits += '%';
  return out;
}

}  // namespace emelex::jinja
