#include "text/jinja/source.h"

#include <algorithm>

#include "base/strings.h"
#include "text/jinja/limits.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {

Source::Source(std::string_view text, std::string name) : name_(std::move(name)) {
  if (text.size() > kMostSourceBytes) {
    throw Error(ErrorCode::unsupported, str_cat("[chat template] expected at most ", kMostSourceBytes, " bytes, got ",
                                                text.size(), " in ", name_));
  }
  text_.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      text_.push_back('\n');
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      text_.push_back(text[i]);
    }
  }
  if (!text_.empty() && text_.back() == '\n') text_.pop_back();
}

void Source::fail(ErrorCode code, uint32_t offset, std::string_view message) const {
  const std::string_view before = std::string_view(text_).substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start = before.find_last_of('\n') + 1;  // npos + 1 is 0
  const size_t column = utf8_length(before.substr(line_start)) + 1;
  throw Error(code, str_cat("[chat template] ", message, " at line ", line, ", column ", column, " of ", name_));
}

}  // namespace emelex::jinja
