#include "text/jinja/methods.h"

#include <algorithm>
#include <array>
#include <span>

#include "text/jinja/call.h"
#include "text/jinja/evaluator.h"

namespace emelex::jinja {
namespace {

Value dict_get(const Call& call) {
  const auto placed = call.placed({"key", "default"});
  const Dict& dict = *call.self.dict();
  const Value& key = call.evaluator.hashable(call.required(placed[0]));
  call.evaluator.charge(static_cast<double>(dict.items.size()) / 4 + key.weight());
  if (const Value* value = dict.find(key)) return *value;
  return placed[1] != nullptr ? *placed[1] : Value(None{});
}

Value dict_parts(const Call& call, bool keys) {
  call.bound({});
  List list;
  list.kind = keys ? ListKind::keys : ListKind::values;
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
    CallRule{"fromkeys", nullptr},
};

Value list_count(const Call& call) {
  const Value& wanted = call.required(call.placed({"value"})[0]);
  int64_t found = 0;
  for (const Value& item : call.self.list()->items) {
    if (call.evaluator.equal(item, wanted)) ++found;
  }
  return Value(found);
}

Value list_index(const Call& call) {
  const auto placed = call.placed({"value", "start", "stop"});
  const auto& items = call.self.list()->items;
  const auto length = static_cast<int64_t>(items.size());
  const auto place = [&](const Value* value, int64_t otherwise) {
    const int64_t given = call.integer_argument(value, otherwise);
    return std::clamp<int64_t>(given < 0 ? std::max(given, -length) + length : given, 0, length);
  };
  const int64_t stop = place(placed[2], length);
  for (int64_t i = place(placed[1], 0); i < stop; ++i) {
    if (call.evaluator.equal(items[static_cast<size_t>(i)], call.required(placed[0]))) return Value(i);
  }
  call.evaluator.fail("expected the value to be in the list, got one that is not");
}

constexpr std::array kSequenceMethods = {
    CallRule{"count", list_count},
    CallRule{"index", list_index},
};

constexpr std::array kListMethods = {
    CallRule{"count", list_count},
    CallRule{"index", list_index},
    CallRule{"copy", [](const Call& call) { return call.bound({}), call.self; }},
};

// What changes a list or dict, which Jinja's sandbox forbids.
constexpr std::array<std::string_view, 8> kListChanges = {"append", "clear",  "extend",  "insert",
                                                          "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> kDictChanges = {"clear", "pop", "popitem", "setdefault", "update"};

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

std::optional<Function> find_method(std::span<const CallRule> rules, const Value& owner, std::string_view name) {
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

}  // namespace

std::optional<Function> method_of(const Value& owner, std::string_view name) {
  if (owner.text() != nullptr) return find_method(string_methods(), owner, name);
  if (owner.dict() != nullptr) return find_method(kDictMethods, owner, name);
  if (owner.loop() != nullptr) return find_method(kLoopMethods, owner, name);
  if (owner.list() == nullptr) return std::nullopt;
  if (owner.list()->kind == ListKind::list) return find_method(kListMethods, owner, name);
  return owner.list()->has_index() ? find_method(kSequenceMethods, owner, name) : std::nullopt;
}

bool is_forbidden(const Value& owner, std::string_view name) {
  const auto has = [name](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (owner.dict() != nullptr) return has(kDictChanges);
  return owner.list() != nullptr && owner.list()->kind == ListKind::list && has(kListChanges);
}

Value pairs_of(Evaluator& evaluator, const Dict& dict) {
  List pairs;
  pairs.kind = ListKind::pairs;
  evaluator.charge(4 * static_cast<double>(dict.items.size()));
  for (const auto& [key, value] : dict.items) {
    List pair;
    pair.kind = ListKind::tuple;
    pair.items = {key, value};
    pairs.items.emplace_back(std::move(pair));
  }
  return Value(std::move(pairs));
}

}  // namespace emelex::jinja
