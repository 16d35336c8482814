#include <algorithm>
#include <array>

#include "text/jinja/characters.h"
#include "text/jinja/format.h"
#include "text/jinja/markup.h"
#include "text/jinja/methods.h"
#include "text/jinja/split.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

// Python's Markup stays markup through what is done to it.
Value like_self(const Call& call, Text made) {
  return Value(call.text().is_markup() ? made.as_markup() : std::move(made));
}

Value strip(const Call& call, bool left, bool right) {
  const auto placed = call.placed({"chars"});
  const bool all_space = placed[0] == nullptr || placed[0]->is_none();
  const std::string* characters = all_space ? nullptr : &call.text_argument(placed[0]).bytes();
  const double n_characters = characters == nullptr ? 1 : static_cast<double>(characters->size());
  call.evaluator.charge(call.self.weight() * (1 + n_characters));
  const Range range = strip_range(call.text().bytes(), characters, left, right);
  return like_self(call, call.text().part(range.begin, range.end));
}

// The bytes that `start` and `end`, counted in characters as a slice's bounds, take of the text. Nothing when `start`
// is behind the end of the text or behind `end`.
std::optional<Range> window(const Call& call, const Value* start, const Value* end) {
  const std::string& bytes = call.text().bytes();
  call.evaluator.charge(call.self.weight());
  const auto given = [](const Value* value) { return value != nullptr && !value->is_none(); };
  if (!given(start) && !given(end)) return Range{0, bytes.size()};
  const std::vector<size_t> starts = character_starts(bytes);
  const auto length = static_cast<int64_t>(starts.size()) - 1;
  const auto place = [&](const Value* value, int64_t otherwise) {
    const int64_t number = given(value) ? call.integer_argument(value, otherwise) : otherwise;
    return number < 0 ? std::max<int64_t>(std::max(number, -length) + length, 0) : number;
  };
  const int64_t from = place(start, 0);
  const int64_t to = std::min(place(end, length), length);
  if (from > length || from > to) return std::nullopt;
  return Range{starts[static_cast<size_t>(from)], starts[static_cast<size_t>(to)]};
}

// startswith and endswith, with a string or a tuple of them.
Value has_affix(const Call& call, bool at_start) {
  const auto placed = call.placed({"affix", "start", "end"});
  const Value& wanted = call.required(placed[0]);
  const auto range = window(call, placed[1], placed[2]);
  const auto has = [&](const Value& affix) {
    const std::string& bytes = call.text_argument(&affix).bytes();
    if (!range) return false;
    const std::string_view text = std::string_view(call.text().bytes()).substr(range->begin, range->end - range->begin);
    return at_start ? text.starts_with(bytes) : text.ends_with(bytes);
  };
  const List* list = wanted.list();
  if (list == nullptr || list->kind != ListKind::tuple) return Value(has(wanted));
  return Value(std::any_of(list->items.begin(), list->items.end(), has));
}

Value without_affix(const Call& call, bool at_start) {
  const std::string& affix = call.text_argument(call.placed({"affix"})[0]).bytes();
  const Text& text = call.text();
  const bool has = at_start ? text.bytes().starts_with(affix) : text.bytes().ends_with(affix);
  if (affix.empty() || !has) return call.self;
  return like_self(call, at_start ? text.part(affix.size(), text.size()) : text.part(0, text.size() - affix.size()));
}

Value split_method(const Call& call, bool from_right) {
  const auto bound = call.bound({"sep", "maxsplit"});
  const Value separator = bound[0] == nullptr ? Value(None{}) : *bound[0];
  if (!separator.is_none()) call.text_argument(&separator);
  const Value parts = split(call.evaluator, call.text(), separator, call.integer_argument(bound[1], -1), from_right);
  if (!call.text().is_markup()) return parts;
  List list;
  for (const Value& part : parts.list()->items) list.items.push_back(like_self(call, *part.text()));
  return Value(std::move(list));
}

Value split_lines(const Call& call) {
  const auto bound = call.bound({"keepends"});
  call.evaluator.charge(static_cast<double>(call.text().size()));
  List list;
  for (const Range& line : lines_of(call.text().bytes(), Call::flag_argument(bound[0], false))) {
    list.items.push_back(like_self(call, call.text().part(line.begin, line.end)));
  }
  return Value(std::move(list));
}

// The text before, the separator, and the text behind it. Without it the whole is first, or from the right last.
Value partition(const Call& call, bool from_right) {
  const Text& separator = call.text_argument(call.placed({"sep"})[0]);
  if (separator.empty()) call.evaluator.fail("expected a separator that is not empty, got an empty one");
  call.evaluator.charge(call.self.weight());
  const Text& text = call.text();
  const size_t at = from_right ? text.bytes().rfind(separator.bytes()) : text.bytes().find(separator.bytes());
  List list;
  list.kind = ListKind::tuple;
  if (at != std::string::npos) {
    list.items = {like_self(call, text.part(0, at)), like_self(call, text.part(at, at + separator.size())),
                  like_self(call, text.part(at + separator.size(), text.size()))};
  } else if (from_right) {
    list.items = {Value(""), Value(""), call.self};
  } else {
    list.items = {call.self, Value(""), Value("")};
  }
  return Value(std::move(list));
}

// The place of a substring, in characters; -1 when it is not there.
int64_t find_in(const Call& call, bool last) {
  const auto placed = call.placed({"sub", "start", "end"});
  const std::string& wanted = call.text_argument(placed[0]).bytes();
  const auto range = window(call, placed[1], placed[2]);
  if (!range) return -1;
  const std::string_view text = std::string_view(call.text().bytes()).substr(range->begin, range->end - range->begin);
  const size_t place = last ? text.rfind(wanted) : text.find(wanted);
  if (place == std::string::npos) return -1;
  return static_cast<int64_t>(utf8_length(std::string_view(call.text().bytes()).substr(0, range->begin + place)));
}

Value index_in(const Call& call, bool last) {
  const int64_t place = find_in(call, last);
  if (place < 0) call.evaluator.fail("expected the text to be in the string, got one that is not");
  return Value(place);
}

Value count(const Call& call) {
  const auto placed = call.placed({"sub", "start", "end"});
  const std::string& wanted = call.text_argument(placed[0]).bytes();
  const auto range = window(call, placed[1], placed[2]);
  if (!range) return Value(int64_t{0});
  const std::string_view text = std::string_view(call.text().bytes()).substr(range->begin, range->end - range->begin);
  if (wanted.empty()) return Value(static_cast<int64_t>(utf8_length(text)) + 1);
  int64_t found = 0;
  for (size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; at += wanted.size()) ++found;
  return Value(found);
}

template <bool (*Is)(char32_t)>
Value all_characters(const Call& call) {
  call.placed({});
  call.evaluator.charge(call.self.weight());
  const std::string& bytes = call.text().bytes();
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    if (!Is(character.code_point)) return Value(false);
    at += character.length;
  }
  return Value(!bytes.empty());
}

template <bool (*Is)(char32_t)>
Value all_or_none(const Call& call) {
  return Value(call.text().empty() || all_characters<Is>(call).truth());
}

bool is_letter_or_number(char32_t code_point) { return is_letter(code_point) || is_numeric(code_point); }
bool is_ascii(char32_t code_point) { return code_point < 0x80; }

Value is_in_case(const Call& call, Case which) {
  call.placed({});
  call.evaluator.charge(call.self.weight());
  return Value(is_all_in_case(call.text(), which));
}

Value is_title(const Call& call) {
  call.placed({});
  call.evaluator.charge(call.self.weight());
  const Text title = to_title(call.text());
  return Value(title.bytes() == call.text().bytes() &&
               to_case(title, Case::lower).bytes() != to_case(title, Case::upper).bytes());
}

template <Text (*Change)(const Text&)>
Value changed(const Call& call) {
  call.placed({});
  call.evaluator.charge(2 * call.self.weight());
  return like_self(call, Change(call.text()));
}

Text upper(const Text& text) { return to_case(text, Case::upper); }
Text lower(const Text& text) { return to_case(text, Case::lower); }

Value join(const Call& call) {
  const auto placed = call.placed({"iterable"});
  Text out;
  const std::vector<Value> items = call.evaluator.iterate(call.required(placed[0]));
  for (size_t i = 0; i < items.size(); ++i) {
    call.evaluator.charge(items[i].weight() + call.self.weight());
    if (i > 0) out.append(call.text());
    const Text& item = call.text_argument(&items[i]);
    out.append(call.text().is_markup() ? escape_html(item) : item);
  }
  return like_self(call, std::move(out));
}

Value replace_method(const Call& call) {
  const auto placed = call.placed({"old", "new", "count"});
  const bool markup = call.text().is_markup();
  const Text& to = call.text_argument(placed[1]);
  return like_self(call, replace(call.evaluator, call.text(), call.text_argument(placed[0]),
                                 markup ? escape_html(to) : to, call.integer_argument(placed[2], -1)));
}

Value aligned(const Call& call, char align) {
  const auto placed = call.placed({"width", "fillchar"});
  const Text fill = placed[1] == nullptr ? Text(" ") : call.text_argument(placed[1]);
  if (utf8_length(fill.bytes()) != 1) call.evaluator.fail("expected one character to fill with, got another number");
  const int64_t width = call.integer_argument(&call.required(placed[0]), 0);
  if (align != '^') return like_self(call, pad(call.evaluator, call.text(), width, align, fill));
  // Of an odd number of missing characters, the odd one goes left when the width is odd.
  const int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(utf8_length(call.text().bytes())), 0);
  const Text left = pad(call.evaluator, call.text(), width - missing + missing / 2 + (missing & width & 1), '>', fill);
  return like_self(call, pad(call.evaluator, left, width, '<', fill));
}

Value zero_fill(const Call& call) {
  const int64_t width = call.integer_argument(&call.required(call.placed({"width"})[0]), 0);
  const Text& text = call.text();
  const size_t sign = !text.empty() && (text.bytes()[0] == '+' || text.bytes()[0] == '-') ? 1 : 0;
  Text out = text.part(0, sign);
  out.append(pad(call.evaluator, text.part(sign, text.size()), width - static_cast<int64_t>(sign), '>', Text("0")));
  return like_self(call, std::move(out));
}

Value expand_tabs(const Call& call) {
  const int64_t size = call.integer_argument(call.bound({"tabsize"})[0], 8);
  const std::string& bytes = call.text().bytes();
  Text out;
  int64_t column = 0;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    const int64_t spaces = bytes[at] == '\t' && size > 0 ? size - column % size : 0;
    call.evaluator.charge(1 + static_cast<double>(spaces));
    if (bytes[at] == '\t') {
      out.append(std::string(static_cast<size_t>(spaces), ' '), call.text().from_data(at));
    } else {
      out.append(call.text(), at, at + character.length);
    }
    column = bytes[at] == '\n' || bytes[at] == '\r' ? 0 : column + (bytes[at] == '\t' ? spaces : 1);
    at += character.length;
  }
  return like_self(call, std::move(out));
}

constexpr std::array kStringMethods = {
    CallRule{"strip", [](const Call& call) { return strip(call, true, true); }},
    CallRule{"lstrip", [](const Call& call) { return strip(call, true, false); }},
    CallRule{"rstrip", [](const Call& call) { return strip(call, false, true); }},
    CallRule{"startswith", [](const Call& call) { return has_affix(call, true); }},
    CallRule{"endswith", [](const Call& call) { return has_affix(call, false); }},
    CallRule{"removeprefix", [](const Call& call) { return without_affix(call, true); }},
    CallRule{"removesuffix", [](const Call& call) { return without_affix(call, false); }},
    CallRule{"split", [](const Call& call) { return split_method(call, false); }},
    CallRule{"rsplit", [](const Call& call) { return split_method(call, true); }},
    CallRule{"splitlines", split_lines},
    CallRule{"partition", [](const Call& call) { return partition(call, false); }},
    CallRule{"rpartition", [](const Call& call) { return partition(call, true); }},
    CallRule{"upper", changed<upper>},
    CallRule{"lower", changed<lower>},
    CallRule{"title", changed<to_title>},
    CallRule{"capitalize", changed<to_capitalized>},
    CallRule{"swapcase", changed<to_swapped_case>},
    CallRule{"casefold", changed<to_folded_case>},
    CallRule{"replace", replace_method},
    CallRule{"find", [](const Call& call) { return Value(find_in(call, false)); }},
    CallRule{"rfind", [](const Call& call) { return Value(find_in(call, true)); }},
    CallRule{"index", [](const Call& call) { return index_in(call, false); }},
    CallRule{"rindex", [](const Call& call) { return index_in(call, true); }},
    CallRule{"count", count},
    CallRule{"join", join},
    CallRule{"format",
             [](const Call& call) { return Value(format_braces(call.evaluator, call.text(), call.arguments)); }},
    CallRule{"center", [](const Call& call) { return aligned(call, '^'); }},
    CallRule{"ljust", [](const Call& call) { return aligned(call, '<'); }},
    CallRule{"rjust", [](const Call& call) { return aligned(call, '>'); }},
    CallRule{"zfill", zero_fill},
    CallRule{"expandtabs", expand_tabs},
    CallRule{"isspace", all_characters<is_space>},
    CallRule{"isalpha", all_characters<is_letter>},
    CallRule{"isalnum", all_characters<is_letter_or_number>},
    CallRule{"isdigit", all_characters<is_digit>},
    CallRule{"isdecimal", all_characters<is_decimal>},
    CallRule{"isnumeric", all_characters<is_numeric>},
    CallRule{"isascii", all_or_none<is_ascii>},
    CallRule{"isprintable", all_or_none<is_printable>},
    CallRule{"isupper", [](const Call& call) { return is_in_case(call, Case::upper); }},
    CallRule{"islower", [](const Call& call) { return is_in_case(call, Case::lower); }},
    CallRule{"istitle", is_title},
    CallRule{"isidentifier", nullptr},
    CallRule{"format_map", nullptr},
    CallRule{"encode", nullptr},
    CallRule{"translate", nullptr},
    CallRule{"maketrans", nullptr},
};

}  // namespace

std::span<const CallRule> string_methods() { return kStringMethods; }

}  // namespace emelex::jinja
