#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace emelex::cli {

// 98364416 → "98.4 MB"; units are powers of 1000.
std::string human_bytes(int64_t bytes);

// 134515008 → "134.5M".
std::string human_count(int64_t count);

// 3.14159, 2 → "3.14".
std::string fixed(double value, int digits);

// `text` as one line that a terminal can't act upon: control characters, those that turn the direction of writing, and
// bytes that are no UTF-8 become '?'.
std::string one_line(std::string_view text);

// `bytes` in quotes, with what is not printable UTF-8 as an escape: "\n", "\xe2". Nothing is lost.
std::string escape_bytes(std::string_view bytes);

// `text` with its lines and tabs, for a terminal: all else that is not printable is an escape as above. The ends of
// Windows' lines become plain ones.
std::string printable_lines(std::string_view text);

// JSON text with the characters that a terminal acts upon as ASCII escapes, "\u009b", as JSON has them: so that it may
// be shown anywhere and still reads as the same. (ASCII's own control characters are escapes already.)
std::string ascii_escapes(std::string json);

// The length of the valid UTF-8 character at the beginning of `text`, or 0 when there is none.
int utf8_length(std::string_view text);

}  // namespace emelex::cli
