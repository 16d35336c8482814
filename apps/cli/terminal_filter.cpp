#include "cli/terminal_filter.h"

#include <algorithm>

#include "cli/format.h"

namespace emelex::cli {
namespace {

// Whether more bytes could make a character of `text`, which is none yet.
bool may_go_on(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  return text.size() < length && std::all_of(text.begin() + 1, text.end(),
                                             [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; });
}

}  // namespace

std::string TerminalFilter::add(std::string_view text) {
  const std::string all = waiting_ + std::string(text);
  size_t end = all.size();
  if (all.ends_with('\r')) --end;  // a line's end may follow
  for (size_t back = 1; end == all.size() && back <= std::min<size_t>(3, all.size()); ++back) {
    if (may_go_on(std::string_view(all).substr(all.size() - back))) end = all.size() - back;
  }
  waiting_ = all.substr(end);
  return printable_lines(std::string_view(all).substr(0, end));
}

std::string TerminalFilter::finish() {
  const std::string rest = printable_lines(waiting_);
  waiting_.clear();
  return rest;
}

}  // namespace emelex::cli
