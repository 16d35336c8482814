#include "text/jinja/split.h"

#include <algorithm>
#include <vector>

#include "text/jinja/characters.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

// Where the parts of a split begin and end.
std::vector<Range> split_by(const std::string& bytes, const std::string& separator, int64_t limit, bool from_right) {
  std::vector<Range> parts;
  if (!from_right) {
    size_t begin = 0;
    for (size_t end; limit != 0 && (end = bytes.find(separator, begin)) != std::string::npos; --limit) {
      parts.push_back({begin, end});
      begin = end + separator.size();
    }
    parts.push_back({begin, bytes.size()});
    return parts;
  }
  size_t end = bytes.size();
  for (; limit != 0 && end >= separator.size(); --limit) {
    const size_t found = bytes.rfind(separator, end - separator.size());
    if (found == std::string::npos) break;
    parts.push_back({found + separator.size(), end});
    end = found;
  }
  parts.push_back({0, end});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

// Where the words are. What is left after `limit` words stays one part, with its white space at the far end.
std::vector<Range> split_by_space(const std::string& bytes, int64_t limit) {
  std::vector<Range> parts;
  size_t at = 0;
  const auto skip = [&](bool spaces) {
    while (at < bytes.size()) {
      const Utf8Char character = utf8_at(bytes, at);
      if (is_space(character.code_point) != spaces) break;
      at += character.length;
    }
  };
  for (skip(true); at < bytes.size(); skip(true)) {
    const size_t begin = at;
    if (limit == 0) {
      parts.push_back({begin, bytes.size()});
      break;
    }
    skip(false);
    parts.push_back({begin, at});
    --limit;
  }
  return parts;
}

std::vector<Range> split_by_space_from_right(const std::string& bytes, int64_t limit) {
  std::vector<Range> parts = split_by_space(bytes, -1);
  if (limit < 0 || static_cast<size_t>(limit) >= parts.size()) return parts;
  const size_t first = parts.size() - static_cast<size_t>(limit);  // of the words that are cut off
  std::vector<Range> cut = {{0, parts[first - 1].end}};
  cut.insert(cut.end(), parts.begin() + static_cast<std::ptrdiff_t>(first), parts.end());
  return cut;
}

}  // namespace

Value split(Evaluator& evaluator, const Text& text, const Value& separator, int64_t limit, bool from_right) {
  evaluator.charge(static_cast<double>(text.size()));
  const std::string& bytes = text.bytes();
  std::vector<Range> ranges;
  if (separator.is_none()) {
    ranges = from_right ? split_by_space_from_right(bytes, limit) : split_by_space(bytes, limit);
  } else {
    if (separator.text()->empty()) evaluator.fail("expected a separator that is not empty, got an empty one");
    ranges = split_by(bytes, separator.text()->bytes(), limit, from_right);
  }
  List list;
  for (const Range& range : ranges) list.items.emplace_back(text.part(range.begin, range.end));
  return Value(std::move(list));
}

Text replace(Evaluator& evaluator, const Text& text, const Text& from, const Text& to, int64_t limit) {
  evaluator.charge(static_cast<double>(text.size()) / 4);
  const std::string& bytes = text.bytes();
  const double cost = 1 + static_cast<double>(to.size()) / 16;
  Text out;
  size_t begin = 0;
  size_t at = 0;
  while (limit != 0) {
    if (!from.empty()) at = bytes.find(from.bytes(), at);
    if (at == std::string::npos || at > bytes.size()) break;
    evaluator.charge(cost);
    out.append(text, begin, at);
    out.append(to);
    --limit;
    begin = at + from.size();
    // Nothing is found before every character and at the end.
    if (from.empty() && at == bytes.size()) break;
    at = from.empty() ? at + utf8_at(bytes, at).length : begin;
  }
  out.append(text, begin, bytes.size());
  return out;
}

std::vector<Range> lines_of(const std::string& bytes, bool with_ends) {
  std::vector<Range> lines;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    const char32_t c = character.code_point;
    const size_t next = at + character.length;
    if ((c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029) {
      const size_t after = c == '\r' && next < bytes.size() && bytes[next] == '\n' ? next + 1 : next;
      lines.push_back({begin, with_ends ? after : at});
      begin = at = after;
    } else {
      at = next;
    }
  }
  if (begin < bytes.size()) lines.push_back({begin, bytes.size()});
  return lines;
}

}  // namespace emelex::jinja
