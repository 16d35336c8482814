#include "text/jinja/methods.h"

#include <algorithm>
#include <array>

#include "text/jinja/call.h"
#include "text/jinja/characters.h"
#include "text/jinja/evaluator.h"
#include "text/utf8.h"

namespace emelex::jinja {
namespace {

Value strip(const Call& call, bool left, bool right) {
  const auto bound = call.bound({"chars"});
  const bool all_space = bound[0] == nullptr || bound[0]->is_none();
  const std::string* characters = all_space ? nullptr : &call.text_argument(bound[0]).bytes();
  const double n_characters = characters == nullptr ? 1 : static_cast<double>(characters->size());
  call.evaluator.charge(call.self.weight() * (1 + n_characters));
  const Range range = strip_range(call.text().bytes(), characters, left, right);
  return Value(call.text().part(range.begin, range.end));
}

// startswith and endswith, with a string or a tuple of them.
Value has_affix(const Call& call, bool at_start) {
  const auto bound = call.bound({"affix"});
  call.required(bound[0]);
  const std::string& bytes = call.text().bytes();
  const auto has = [&](const Value& affix) {
    const std::string& wanted = call.text_argument(&affix).bytes();
    if (wanted.size() > bytes.size()) return false;
    return bytes.compare(at_start ? 0 : bytes.size() - wanted.size(), wanted.size(), wanted) == 0;
  };
  if (const List* list = bound[0]->list()) return Value(std::any_of(list->items.begin(), list->items.end(), has));
  return Value(has(*bound[0]));
}

Value split_method(const Call& call, bool from_right) {
  const auto bound = call.bound({"sep", "maxsplit"});
  const Value separator = bound[0] == nullptr ? Value(None{}) : *bound[0];
  if (!separator.is_none()) call.text_argument(&separator);
  return split(call.evaluator, call.text(), separator, call.integer_argument(bound[1], -1), from_right);
}

// The place of a substring, in characters; -1 when it is not there.
int64_t find_in(const Call& call, bool last) {
  const auto bound = call.bound({"sub"});
  call.evaluator.charge(call.self.weight());
  const std::string& bytes = call.text().bytes();
  const std::string& wanted = call.text_argument(bound[0]).bytes();
  const size_t place = last ? bytes.rfind(wanted) : bytes.find(wanted);
  if (place == std::string::npos) return -1;
  return static_cast<int64_t>(utf8_length(std::string_view(bytes).substr(0, place)));
}

Value count(const Call& call) {
  const std::string& wanted = call.text_argument(call.bound({"sub"})[0]).bytes();
  const std::string& bytes = call.text().bytes();
  call.evaluator.charge(call.self.weight());
  if (wanted.empty()) return Value(static_cast<int64_t>(utf8_length(bytes)) + 1);
  int64_t found = 0;
  for (size_t at = 0; (at = bytes.find(wanted, at)) != std::string::npos; at += wanted.size()) ++found;
  return Value(found);
}

template <bool (*Is)(char32_t)>
Value all_characters(const Call& call) {
  call.bound({});
  call.evaluator.charge(call.self.weight());
  const std::string& bytes = call.text().bytes();
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Char character = utf8_at(bytes, at);
    if (!Is(character.code_point)) return Value(false);
    at += character.length;
  }
  return Value(!bytes.empty());
}

// isupper and islower: there is a cased character, and all are in that case.
Value is_in_case(const Call& call, Case which) {
  call.bound({});
  call.evaluator.charge(call.self.weight());
  const Case other = which == Case::upper ? Case::lower : Case::upper;
  const std::string& bytes = call.text().bytes();
  const bool same = to_case(call.text(), which).bytes() == bytes;
  return Value(same && to_case(call.text(), other).bytes() != bytes);
}

Value without_affix(const Call& call, bool at_start) {
  const auto bound = call.bound({"affix"});
  const std::string& affix = call.text_argument(bound[0]).bytes();
  const Text& text = call.text();
  if (affix.empty() || !has_affix(call, at_start).truth()) return call.self;
  return Value(at_start ? text.part(affix.size(), text.size()) : text.part(0, text.size() - affix.size()));
}

Value changed_case(const Call& call, Text (*change)(const Text&)) {
  call.bound({});
  call.evaluator.charge(call.self.weight());
  return Value(change(call.text()));
}

Value join(const Call& call) {
  const auto bound = call.bound({"iterable"});
  Text out;
  const std::vector<Value> items = call.evaluator.iterate(call.required(bound[0]));
  for (size_t i = 0; i < items.size(); ++i) {
    call.evaluator.charge(items[i].weight() + call.self.weight());
    if (i > 0) out.append(call.text());
    out.append(call.text_argument(&items[i]));
  }
  return Value(std::move(out));
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
    CallRule{"upper",
             [](const Call& call) {
               return changed_case(call, [](const Text& text) { return to_case(text, Case::upper); });
             }},
    CallRule{"lower",
             [](const Call& call) {
               return changed_case(call, [](const Text& text) { return to_case(text, Case::lower); });
             }},
    CallRule{"title", [](const Call& call) { return changed_case(call, to_title); }},
    CallRule{"capitalize", [](const Call& call) { return changed_case(call, to_capitalized); }},
    CallRule{"replace",
             [](const Call& call) {
               const auto bound = call.bound({"old", "new", "count"});
               return Value(replace(call.evaluator, call.text(), call.text_argument(bound[0]),
                                    call.text_argument(bound[1]), call.integer_argument(bound[2], -1)));
             }},
    CallRule{"find", [](const Call& call) { return Value(find_in(call, false)); }},
    CallRule{"rfind", [](const Call& call) { return Value(find_in(call, true)); }},
    CallRule{"count", count},
    CallRule{"join", join},
    CallRule{"isspace", all_characters<is_space>},
    CallRule{"isalpha", all_characters<is_letter>},
    CallRule{"isdigit", all_characters<is_digit>},
    CallRule{"isdecimal", all_characters<is_digit>},
    CallRule{"isupper", [](const Call& call) { return is_in_case(call, Case::upper); }},
    CallRule{"islower", [](const Call& call) { return is_in_case(call, Case::lower); }},
    CallRule{"format", nullptr},
    CallRule{"splitlines", nullptr},
    CallRule{"partition", nullptr},
    CallRule{"rpartition", nullptr},
    CallRule{"index", nullptr},
    CallRule{"isalnum", nullptr},
    CallRule{"isnumeric", nullptr},
    CallRule{"zfill", nullptr},
    CallRule{"center", nullptr},
    CallRule{"ljust", nullptr},
    CallRule{"rjust", nullptr},
    CallRule{"swapcase", nullptr},
    CallRule{"casefold", nullptr},
    CallRule{"encode", nullptr},
    CallRule{"expandtabs", nullptr},
    CallRule{"translate", nullptr},
};

Value dict_get(const Call& call) {
  const auto bound = call.bound({"key", "default"});
  const Dict& dict = *call.self.dict();
  call.evaluator.charge(static_cast<double>(dict.items.size()) / 4 + call.required(bound[0]).weight());
  if (const Value* value = dict.find(*bound[0])) return *value;
  return bound[1] != nullptr ? *bound[1] : Value(None{});
}

Value dict_parts(const Call& call, bool keys) {
  call.bound({});
  List list;
  for (const auto& [key, value] : call.self.dict()->items) list.items.push_back(keys ? key : value);
  call.evaluator.charge(static_cast<double>(list.items.size()));
  return Value(std::move(list));
}

constexpr std::array kDictMethods = {
    CallRule{"get", dict_get},
    CallRule{"items",
             [](const Call& call) {
               call.bound({});
               return pairs_of(call.evaluator, *call.self.dict());
             }},
    CallRule{"keys", [](const Call& call) { return dict_parts(call, true); }},
    CallRule{"values", [](const Call& call) { return dict_parts(call, false); }},
    CallRule{"copy", [](const Call& call) { return call.bound({}), call.self; }},
    CallRule{"pop", nullptr},
    CallRule{"popitem", nullptr},
    CallRule{"update", nullptr},
    CallRule{"setdefault", nullptr},
    CallRule{"clear", nullptr},
};

Value list_count(const Call& call) {
  const auto bound = call.bound({"value"});
  int64_t found = 0;
  for (const Value& item : call.self.list()->items) {
    if (bound[0] != nullptr && call.evaluator.equal(item, *bound[0])) ++found;
  }
  return Value(found);
}

Value list_index(const Call& call) {
  const auto bound = call.bound({"value"});
  const auto& items = call.self.list()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (bound[0] != nullptr && call.evaluator.equal(items[i], *bound[0])) return Value(static_cast<int64_t>(i));
  }
  call.evaluator.fail("expected the value to be in the list, got one that is not");
}

constexpr std::array kListMethods = {
    CallRule{"count", list_count}, CallRule{"index", list_index},
    CallRule{"append", nullptr},   CallRule{"extend", nullptr},
    CallRule{"insert", nullptr},   CallRule{"pop", nullptr},
    CallRule{"remove", nullptr},   CallRule{"reverse", nullptr},
    CallRule{"sort", nullptr},     CallRule{"copy", [](const Call& call) { return call.bound({}), call.self; }},
};

Value loop_cycle(const Call& call) {
  const auto& values = call.arguments.positional;
  if (values.empty()) call.evaluator.fail("expected values for 'cycle', got none");
  return values[call.self.loop()->index % values.size()];
}

Value loop_changed(const Call& call) {
  Loop& loop = *call.self.loop();
  const auto& now = call.arguments.positional;
  const bool same = loop.seen && std::equal(now.begin(), now.end(), loop.last_seen.begin(), loop.last_seen.end(),
                                            [&](const Value& a, const Value& b) { return call.evaluator.equal(a, b); });
  loop.seen = true;
  loop.last_seen = now;
  return Value(!same);
}

constexpr std::array kLoopMethods = {
    CallRule{"cycle", loop_cycle},
    CallRule{"changed", loop_changed},
};

template <class Rules>
std::optional<Function> find_method(const Rules& rules, const Value& owner, std::string_view name) {
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const CallRule& r) { return r.name == name; });
  if (rule == rules.end()) return std::nullopt;
  return Function{std::string(name),
                  [owner, rule = &*rule](Evaluator& evaluator, const Arguments& arguments) {
                    if (rule->call == nullptr) {
                      evaluator.fail(
                          str_cat("the method '", rule->name, "' of ", owner.type_name(), " is not supported"),
                          ErrorCode::unsupported);
                    }
                    return rule->call({evaluator, owner, arguments, rule->name});
                  },
                  owner.depth() + 1};
}

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

std::vector<Range> split_by_space(const std::string& bytes, int64_t limit, Evaluator& evaluator, bool from_right) {
  if (from_right && limit >= 0) {
    evaluator.fail("'rsplit' by white space with a limit is not supported", ErrorCode::unsupported);
  }
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

}  // namespace

std::optional<Function> method_of(const Value& owner, std::string_view name) {
  if (owner.text() != nullptr) return find_method(kStringMethods, owner, name);
  if (owner.dict() != nullptr) return find_method(kDictMethods, owner, name);
  if (owner.list() != nullptr) return find_method(kListMethods, owner, name);
  if (owner.loop() != nullptr) return find_method(kLoopMethods, owner, name);
  return std::nullopt;
}

Value split(Evaluator& evaluator, const Text& text, const Value& separator, int64_t limit, bool from_right) {
  evaluator.charge(static_cast<double>(text.size()));
  const std::string& bytes = text.bytes();
  std::vector<Range> ranges;
  if (separator.is_none()) {
    ranges = split_by_space(bytes, limit, evaluator, from_right);
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

Value pairs_of(Evaluator& evaluator, const Dict& dict) {
  List pairs;
  evaluator.charge(4 * static_cast<double>(dict.items.size()));
  for (const auto& [key, value] : dict.items) {
    List pair;
    pair.tuple = true;
    pair.items = {key, value};
    pairs.items.emplace_back(std::move(pair));
  }
  return Value(std::move(pairs));
}

}  // namespace emelex::jinja
