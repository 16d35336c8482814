#include <algorithm>
#include <array>
#include <optional>

#include "text/jinja/access.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/sorting.h"
#include "text/jinja/split.h"
#include "text/jinja/tests.h"

namespace emelex::jinja {

Value sort_key(Evaluator& evaluator, const Value& value, bool case_sensitive) {
  if (case_sensitive || value.text() == nullptr) return value;
  evaluator.charge(value.weight());
  return Value(to_case(*value.text(), Case::lower));
}

void sort_keyed(Evaluator& evaluator, std::vector<Keyed>& keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? is_less(evaluator, b.key, a.key) : is_less(evaluator, a.key, b.key);
  });
}

namespace {

std::vector<Value> input_items(const Call& call) { return call.evaluator.iterate(call.self); }

Value list_value(std::vector<Value> items) { return Value(List{std::move(items)}); }

Value length(const Call& call) {
  call.bound({});
  return Value(length_of(call.evaluator, call.self));
}

Value join(const Call& call) {
  const auto bound = call.bound({"d", "attribute"});
  const Text separator = bound[0] != nullptr ? call.evaluator.text_of(*bound[0]) : Text();
  Text out;
  bool first = true;
  for (const Value& item : input_items(call)) {
    const Value part = bound[1] != nullptr ? path_of(call.evaluator, item, *bound[1]) : item;
    call.evaluator.charge(static_cast<double>(separator.size()) / 16);
    if (!std::exchange(first, false)) out.append(separator);
    out.append(call.evaluator.text_of(part));
  }
  return Value(std::move(out));
}

Value first(const Call& call) {
  call.bound({});
  const std::optional<Value> item = call.evaluator.items_of(call.self)();
  return item ? *item : Value::undefined("the first item of nothing");
}

Value last(const Call& call) {
  call.bound({});
  if (call.self.generator() != nullptr)
    call.evaluator.fail("expected something that has an end for 'last', got a generator");
  const std::vector<Value> items = input_items(call);
  return items.empty() ? Value::undefined("the last item of nothing") : items.back();
}

Value list(const Call& call) {
  call.bound({});
  return list_value(input_items(call));
}

Value reverse(const Call& call) {
  call.bound({});
  std::vector<Value> items = input_items(call);
  std::reverse(items.begin(), items.end());
  if (call.self.generator() != nullptr) return list_value(std::move(items));
  if (call.self.text() == nullptr) {
    return call.evaluator.make_generator(call.evaluator.items_of(list_value(std::move(items))));
  }
  Text out;
  for (const Value& item : items) out.append(*item.text());
  return Value(call.self.text()->is_markup() ? out.as_markup() : std::move(out));
}

Pull items(const Call& call) {
  call.bound({});
  if (call.self.is_undefined()) return call.evaluator.items_of(call.self);
  if (call.self.dict() == nullptr) {
    call.evaluator.fail(str_cat("expected a dict for 'items', got ", call.self.type_name()));
  }
  return call.evaluator.items_of(pairs_of(call.evaluator, *call.self.dict()));
}

// What an item is compared by: itself, or an attribute of it.
Value key_of(const Call& call, const Value& item, const Value* attribute, bool case_sensitive) {
  const bool whole = attribute == nullptr || attribute->is_none();
  return sort_key(call.evaluator, whole ? item : path_of(call.evaluator, item, *attribute), case_sensitive);
}

std::vector<Keyed> keyed_items(const Call& call, const Value* attribute, bool case_sensitive) {
  std::vector<Keyed> keyed;
  for (Value& item : input_items(call)) keyed.push_back({key_of(call, item, attribute, case_sensitive), item});
  return keyed;
}

// What `sort` goes by: the items, an attribute of theirs, or with "a,b" several, the first first. They are compared as
// lists, so that what has no order may be in them where it is equal.
std::vector<Keyed> keyed_for_sort(const Call& call, const Value* attribute, bool case_sensitive) {
  List attributes;
  if (attribute != nullptr && attribute->text() != nullptr) {
    attributes = *split(call.evaluator, *attribute->text(), Value(","), -1, false).list();
  } else if (attribute != nullptr && !attribute->is_none()) {
    attributes.items.push_back(*attribute);
  }
  std::vector<Keyed> keyed;
  for (Value& item : input_items(call)) {
    List key;
    for (const Value& name : attributes.items) {
      key.items.push_back(sort_key(call.evaluator, path_of(call.evaluator, item, name), case_sensitive));
    }
    if (attributes.items.empty()) key.items.push_back(sort_key(call.evaluator, item, case_sensitive));
    keyed.push_back({Value(std::move(key)), std::move(item)});
  }
  return keyed;
}

std::vector<Value> values_of(const std::vector<Keyed>& keyed) {
  std::vector<Value> values;
  for (const Keyed& one : keyed) values.push_back(one.item);
  return values;
}

Value sort(const Call& call) {
  const auto bound = call.bound({"reverse", "case_sensitive", "attribute"});
  std::vector<Keyed> keyed = keyed_for_sort(call, bound[2], Call::flag_argument(bound[1], false));
  sort_keyed(call.evaluator, keyed, Call::flag_argument(bound[0], false));
  return list_value(values_of(keyed));
}

Value dictsort(const Call& call) {
  const auto bound = call.bound({"case_sensitive", "by", "reverse"});
  if (call.evaluator.defined(call.self).dict() == nullptr) {
    call.evaluator.fail(str_cat("expected a dict for 'dictsort', got ", call.self.type_name()));
  }
  const std::string by = bound[1] != nullptr ? call.text_argument(bound[1]).bytes() : "key";
  if (by != "key" && by != "value")
    call.evaluator.fail(str_cat("expected 'key' or 'value' to sort by, got ", quote_bytes(by)));
  const bool by_value = by == "value";
  std::vector<Keyed> keyed;
  const Value pairs = pairs_of(call.evaluator, *call.self.dict());
  for (const Value& pair : pairs.list()->items) {
    const Value& key = pair.list()->items[by_value ? 1 : 0];
    keyed.push_back({sort_key(call.evaluator, key, Call::flag_argument(bound[0], false)), pair});
  }
  sort_keyed(call.evaluator, keyed, Call::flag_argument(bound[2], false));
  return list_value(values_of(keyed));
}

Pull unique(const Call& call) {
  const auto bound = call.bound({"case_sensitive", "attribute"});
  const bool case_sensitive = Call::flag_argument(bound[0], false);
  return [call, attribute = bound[1], case_sensitive, next = call.evaluator.items_of(call.self),
          kept = std::vector<Value>()]() mutable -> std::optional<Value> {
    while (std::optional<Value> item = next()) {
      Value key = call.evaluator.hashable(key_of(call, *item, attribute, case_sensitive));
      const auto is_key = [&](const Value& other) { return call.evaluator.equal(key, other); };
      if (std::any_of(kept.begin(), kept.end(), is_key)) continue;
      kept.push_back(std::move(key));
      return item;
    }
    return std::nullopt;
  };
}

template <bool Largest>
Value extreme(const Call& call) {
  const auto bound = call.bound({"case_sensitive", "attribute"});
  std::vector<Keyed> keyed = keyed_items(call, bound[1], Call::flag_argument(bound[0], false));
  if (keyed.empty()) return Value::undefined("the extreme of nothing");
  size_t best = 0;
  for (size_t i = 1; i < keyed.size(); ++i) {
    const Value& a = keyed[Largest ? best : i].key;
    const Value& b = keyed[Largest ? i : best].key;
    if (is_less(call.evaluator, a, b)) best = i;
  }
  return keyed[best].item;
}

Value sum(const Call& call) {
  const auto bound = call.bound({"attribute", "start"});
  Value total = bound[1] != nullptr ? *bound[1] : Value(int64_t{0});
  if (total.text() != nullptr) call.evaluator.fail("expected numbers or lists for 'sum', got str");
  for (const Keyed& one : keyed_items(call, bound[0], true)) {
    total = apply_binary(call.evaluator, Operator::add, total, one.key);
  }
  return total;
}

Arguments arguments_from(const Arguments& arguments, size_t first) {
  Arguments rest;
  rest.named = arguments.named;
  if (first < arguments.positional.size()) {
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(first),
                           arguments.positional.end());
  }
  return rest;
}

// What is false gives nothing, even where it is nothing to go through, such as none.
Pull items_if_true(const Call& call) { return call.evaluator.items_of(call.self.truth() ? call.self : list_value({})); }

Pull map(const Call& call) {
  if (call.arguments.positional.empty()) {
    const auto bound = call.bound({"attribute", "default"});
    const Value* otherwise = bound[1] != nullptr && !bound[1]->is_none() ? bound[1] : nullptr;
    return [call, attribute = bound[0], otherwise, next = items_if_true(call)]() mutable -> std::optional<Value> {
      const std::optional<Value> item = next();
      if (!item) return std::nullopt;
      Value value = path_of(call.evaluator, *item, call.required(attribute));
      return value.is_undefined() && otherwise != nullptr ? *otherwise : std::move(value);
    };
  }
  return [call, filter = call.text_argument(&call.arguments.positional[0]).bytes(),
          rest = arguments_from(call.arguments, 1), next = items_if_true(call)]() mutable -> std::optional<Value> {
    const std::optional<Value> item = next();
    if (!item) return std::nullopt;
    return apply_filter(call.evaluator, filter, *item, rest);
  };
}

// select, reject, selectattr, rejectattr: the items, or those whose attribute, pass a test (none: are true).
template <bool ByAttribute, bool Wanted>
Pull choose(const Call& call) {
  const auto& given = call.arguments.positional;
  const size_t test_at = ByAttribute ? 1 : 0;
  if (ByAttribute) call.required(given.empty() ? nullptr : &given[0]);
  std::optional<std::string> test;
  if (given.size() > test_at) test = call.text_argument(&given[test_at]).bytes();
  return [call, test, rest = arguments_from(call.arguments, test_at + 1),
          next = items_if_true(call)]() mutable -> std::optional<Value> {
    while (std::optional<Value> item = next()) {
      const Value tested = ByAttribute ? path_of(call.evaluator, *item, call.arguments.positional[0]) : *item;
      const bool passes = test ? apply_test(call.evaluator, *test, tested, rest) : tested.truth();
      if (passes == Wanted) return item;
    }
    return std::nullopt;
  };
}

constexpr std::array kSequenceFilters = {
    CallRule{"length", length},
    CallRule{"count", length},
    CallRule{"join", join},
    CallRule{"first", first},
    CallRule{"last", last},
    CallRule{"list", list},
    CallRule{"reverse", reverse},
    CallRule{"items", nullptr, items},
    CallRule{"sort", sort},
    CallRule{"dictsort", dictsort},
    CallRule{"unique", nullptr, unique},
    CallRule{"min", extreme<false>},
    CallRule{"max", extreme<true>},
    CallRule{"sum", sum},
    CallRule{"map", nullptr, map},
    CallRule{"select", nullptr, choose<false, true>},
    CallRule{"reject", nullptr, choose<false, false>},
    CallRule{"selectattr", nullptr, choose<true, true>},
    CallRule{"rejectattr", nullptr, choose<true, false>},
};

}  // namespace

std::span<const CallRule> sequence_filters() { return kSequenceFilters; }

}  // namespace emelex::jinja
