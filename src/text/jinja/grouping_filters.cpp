#include <algorithm>
#include <array>

#include "text/jinja/access.h"
#include "text/jinja/filters.h"
#include "text/jinja/methods.h"
#include "text/jinja/sorting.h"

namespace emelex::jinja {
namespace {

// A number of lists or items in one; at least one.
int64_t count_argument(const Call& call, const Value* value) {
  const int64_t count = call.integer_argument(&call.required(value), 0);
  if (count < 1) call.evaluator.fail(str_cat("expected a number above zero for '", call.name, "', got ", count));
  return count;
}

// Lists of `linecount` items each.
Pull batch(const Call& call) {
  const auto bound = call.bound({"linecount", "fill_with"});
  const auto count = static_cast<size_t>(count_argument(call, bound[0]));
  const Value* filling = bound[1] != nullptr && !bound[1]->is_none() ? bound[1] : nullptr;
  return [call, count, filling, next = call.evaluator.items_of(call.self),
          batch = List()]() mutable -> std::optional<Value> {
    while (std::optional<Value> item = next()) {
      const bool is_full = batch.items.size() == count;
      List full = is_full ? std::exchange(batch, List()) : List();
      batch.items.push_back(*std::move(item));
      if (is_full) return Value(std::move(full));
    }
    if (batch.items.empty()) return std::nullopt;
    while (filling != nullptr && batch.items.size() < count) {
      call.evaluator.charge(filling->weight());
      batch.items.push_back(*filling);
    }
    return Value(std::exchange(batch, List()));
  };
}

// `slices` lists of about the same length.
Pull slice(const Call& call) {
  const auto bound = call.bound({"slices", "fill_with"});
  const int64_t slices = count_argument(call, bound[0]);
  const std::vector<Value> items = call.evaluator.iterate(call.self);
  const auto length = static_cast<int64_t>(items.size());
  std::vector<Value> made;
  auto from = items.begin();
  for (int64_t i = 0; i < slices; ++i) {
    call.evaluator.charge(2);
    const bool longer = i < length % slices;
    const auto to = from + static_cast<std::ptrdiff_t>(length / slices + (longer ? 1 : 0));
    List part{{from, to}};
    from = to;
    if (bound[1] != nullptr && !bound[1]->is_none() && !longer) part.items.push_back(*bound[1]);
    made.emplace_back(std::move(part));
  }
  return call.evaluator.items_of(Value(List{std::move(made)}));
}

// Pairs of what an attribute is and the list of the items where it is that.
Value group_by(const Call& call) {
  const auto bound = call.bound({"attribute", "default", "case_sensitive"});
  const Value& attribute = call.required(bound[0]);
  const auto key_of = [&](const Value& item) {
    Value key = path_of(call.evaluator, item, attribute);
    return key.is_undefined() && bound[1] != nullptr ? *bound[1] : std::move(key);
  };
  std::vector<Keyed> keyed;
  for (Value& item : call.evaluator.iterate(call.self)) {
    Value key = sort_key(call.evaluator, key_of(item), Call::flag_argument(bound[2], false));
    keyed.push_back({std::move(key), std::move(item)});
  }
  sort_keyed(call.evaluator, keyed, false);
  List groups;
  for (auto at = keyed.begin(); at != keyed.end();) {
    List members;
    const Value key = at->key;
    for (; at != keyed.end() && call.evaluator.equal(at->key, key); ++at) members.items.push_back(at->item);
    List group{{key_of(members.items.front()), Value(std::move(members))}, ListKind::tuple};
    group.is_group = true;
    groups.items.emplace_back(std::move(group));
  }
  return Value(std::move(groups));
}

// Unlike "a.b", this never looks into a dict.
Value attribute(const Call& call) {
  const std::string& name = call.text_argument(call.bound({"name"})[0]).bytes();
  if (call.self.dict() == nullptr) return attribute_of(call.evaluator, call.self, name);
  if (auto method = method_of(call.self, name)) return Value(std::move(*method));
  return Value::undefined(str_cat("the attribute ", quote_bytes(name), " of a dict"));
}

constexpr std::array kGroupingFilters = {
    CallRule{"batch", nullptr, batch, 1}, CallRule{"slice", nullptr, slice, 1}, CallRule{"groupby", group_by},
    CallRule{"attr", attribute},          CallRule{"random", nullptr},
};

}  // namespace

std::span<const CallRule> grouping_filters() { return kGroupingFilters; }

}  // namespace emelex::jinja
