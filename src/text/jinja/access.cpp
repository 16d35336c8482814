#include "text/jinja/access.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "text/jinja/characters.h"
#include "text/jinja/methods.h"
#include "text/unicode/utf8.h"

namespace emelex::jinja {
namespace {

Value no_attribute(const Value& owner, std::string_view name) {
  return Value::undefined(str_cat("'", owner.type_name(), " object' has no attribute ", quote_bytes(name), ", which"));
}

Value loop_attribute(Loop& loop, std::string_view name) {
  const auto length = static_cast<int64_t>(loop.items.size());
  const auto index = static_cast<int64_t>(loop.index);
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(length - index);
  if (name == "revindex0") return Value(length - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 >= length);
  if (name == "length") return Value(length);
  if (name == "depth") return Value(int64_t{loop.depth});
  if (name == "depth0") return Value(int64_t{loop.depth - 1});
  if (name == "previtem" && index > 0 && index <= length) return loop.items[loop.index - 1];
  if (name == "nextitem" && index + 1 < length) return loop.items[loop.index + 1];
  return no_attribute(Value(&loop), name);
}

// An index into `length` items, counted from the end when negative; -1 when there is no such item.
int64_t place_of(const Value& key, size_t length) {
  const auto count = static_cast<int64_t>(length);
  int64_t index = key.integer();
  if (index < 0) index += count;
  return index < 0 || index >= count ? -1 : index;
}

Value no_item(Evaluator& evaluator, const Value& owner, const Value& key) {
  return Value::undefined(str_cat("'", owner.type_name(), " object' has no element ",
                                  quote_bytes(evaluator.text_of(key).bytes()), ", which"));
}

// A part of a text that is markup is markup.
Value like(const Text& whole, Text part) { return Value(whole.is_markup() ? part.as_markup() : std::move(part)); }

struct SliceBounds {
  int64_t start;
  int64_t stop;
  int64_t step;
};

// Python's slice.indices().
SliceBounds slice_bounds(Evaluator& evaluator, int64_t length, const Value& start, const Value& stop,
                         const Value& step) {
  const auto number = [&](const Value& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    if (!evaluator.defined(value).is_integer()) {
      evaluator.fail(str_cat("expected an integer in a slice, got ", value.type_name()));
    }
    return value.integer();
  };
  SliceBounds bounds{};
  // Longer steps than the sequence all do the same, and their sums could wrap.
  bounds.step = std::clamp<int64_t>(number(step, 1), -length - 1, length + 1);
  if (bounds.step == 0) evaluator.fail("expected a slice's step not to be zero, got zero");
  const int64_t least = bounds.step < 0 ? -1 : 0;
  const int64_t most = bounds.step < 0 ? length - 1 : length;
  const auto place = [&](const Value& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    const int64_t given = number(value, 0);
    return std::clamp(given < 0 ? std::max(given, -length - 1) + length : given, least, most);
  };
  bounds.start = place(start, bounds.step < 0 ? most : least);
  bounds.stop = place(stop, bounds.step < 0 ? least : most);
  return bounds;
}

template <class Take>
void for_slice(const SliceBounds& bounds, const Take& take) {
  for (int64_t i = bounds.start; bounds.step < 0 ? i > bounds.stop : i < bounds.stop; i += bounds.step) take(i);
}

}  // namespace

Value attribute_of(Evaluator& evaluator, const Value& owner, std::string_view name) {
  evaluator.defined(owner);
  if (Loop* loop = owner.loop()) {
    if (auto method = method_of(owner, name)) return Value(std::move(*method));
    return loop_attribute(*loop, name);
  }
  if (Namespace* names = owner.names()) {
    evaluator.charge(static_cast<double>(names->values.size()) / 4);
    const Value* found = names->find(name);
    return found != nullptr ? *found : no_attribute(owner, name);
  }
  if (auto method = method_of(owner, name)) return Value(std::move(*method));
  if (is_forbidden(owner, name)) {
    return Value::undefined(str_cat("'", name, "' of a ", owner.type_name(), " is kept from templates and"));
  }
  if (const List* list = owner.list(); list != nullptr && list->is_group) {
    if (name == "grouper" || name == "list") return list->items[name == "grouper" ? 0 : 1];
  }
  if (const Dict* dict = owner.dict()) {
    evaluator.charge(static_cast<double>(dict->items.size()) / 4);
    if (const Value* value = dict->find(name)) return *value;
  }
  return no_attribute(owner, name);
}

Value item_of(Evaluator& evaluator, const Value& owner, const Value& key) {
  evaluator.defined(owner);
  if (const Dict* dict = owner.dict()) {
    evaluator.charge(static_cast<double>(dict->items.size()) / 4 + key.weight());
    if (const Value* value = dict->find(key)) return *value;
  } else if (key.is_integer()) {
    if (const List* list = owner.list(); list != nullptr && list->has_index()) {
      const int64_t place = place_of(key, list->items.size());
      return place < 0 ? no_item(evaluator, owner, key) : list->items[static_cast<size_t>(place)];
    }
    if (const Text* text = owner.text()) {
      evaluator.charge(owner.weight());
      const std::vector<size_t> starts = character_starts(text->bytes());
      const int64_t place = place_of(key, starts.size() - 1);
      if (place < 0) return no_item(evaluator, owner, key);
      return like(*text, text->part(starts[static_cast<size_t>(place)], starts[static_cast<size_t>(place) + 1]));
    }
  }
  if (key.text() != nullptr) return attribute_of(evaluator, owner, key.text()->bytes());
  return no_item(evaluator, owner, key);
}

Value slice_of(Evaluator& evaluator, const Value& owner, const Value& start, const Value& stop, const Value& step) {
  evaluator.defined(owner);
  if (const List* list = owner.list(); list != nullptr && list->has_index()) {
    evaluator.charge(static_cast<double>(list->items.size()));
    const auto bounds = slice_bounds(evaluator, static_cast<int64_t>(list->items.size()), start, stop, step);
    List out;
    out.kind = list->kind;
    if (list->kind == ListKind::range) {
      // These are for printing alone; unsigned, since ends that are no numbers of the range may lie beyond 64 bits.
      const auto step_of = [&](int64_t n) { return static_cast<uint64_t>(n) * static_cast<uint64_t>(list->step); };
      out.start = static_cast<int64_t>(static_cast<uint64_t>(list->start) + step_of(bounds.start));
      out.stop = static_cast<int64_t>(static_cast<uint64_t>(list->start) + step_of(bounds.stop));
      out.step = static_cast<int64_t>(step_of(bounds.step));
    }
    for_slice(bounds, [&](int64_t i) { out.items.push_back(list->items[static_cast<size_t>(i)]); });
    return Value(std::move(out));
  }
  const Text* text = owner.text();
  if (text == nullptr) evaluator.fail(str_cat("expected a string or list to slice, got ", owner.type_name()));
  evaluator.charge(owner.weight());
  const std::vector<size_t> starts = character_starts(text->bytes());
  const auto bounds = slice_bounds(evaluator, static_cast<int64_t>(starts.size()) - 1, start, stop, step);
  if (bounds.step == 1) {
    const int64_t end = std::max(bounds.start, bounds.stop);
    return like(*text, text->part(starts[static_cast<size_t>(bounds.start)], starts[static_cast<size_t>(end)]));
  }
  Text out;
  for_slice(bounds,
            [&](int64_t i) { out.append(*text, starts[static_cast<size_t>(i)], starts[static_cast<size_t>(i) + 1]); });
  return like(*text, std::move(out));
}

Value path_of(Evaluator& evaluator, const Value& owner, const Value& path) {
  if (path.text() == nullptr) return item_of(evaluator, owner, path);
  Value value = owner;
  const std::string_view bytes = path.text()->bytes();
  for (size_t begin = 0; begin <= bytes.size();) {
    const size_t end = std::min(bytes.find('.', begin), bytes.size());
    const std::string_view part = bytes.substr(begin, end - begin);
    int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = !part.empty() && parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    // Filters look for the item before the method.
    value = item_of(evaluator, value, number ? Value(index) : Value(std::string(part)));
    begin = end + 1;
  }
  return value;
}

int64_t length_of(Evaluator& evaluator, const Value& value) {
  if (const List* list = value.list()) return static_cast<int64_t>(list->items.size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items.size());
  if (const Text* text = value.text()) {
    evaluator.charge(value.weight());
    return static_cast<int64_t>(utf8_length(text->bytes()));
  }
  if (value.is_undefined()) return 0;
  if (value.loop() != nullptr) return static_cast<int64_t>(value.loop()->items.size());
  evaluator.fail(str_cat("expected something with a length, got ", value.type_name()));
}

std::vector<Value> Evaluator::iterate(const Value& value) {
  charge(value.text() != nullptr ? static_cast<double>(value.text()->size()) : value.weight() / 4);
  if (Generator* generator = value.generator()) {
    std::vector<Value> items;
    while (std::optional<Value> item = next_of(*generator)) items.push_back(*std::move(item));
    return items;
  }
  if (const List* list = value.list()) return list->items;
  std::vector<Value> items;
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, held] : dict->items) items.push_back(key);
  } else if (const Text* text = value.text()) {
    const std::vector<size_t> starts = character_starts(text->bytes());
    for (size_t i = 0; i + 1 < starts.size(); ++i) items.emplace_back(text->part(starts[i], starts[i + 1]));
  } else if (!value.is_undefined()) {
    fail(str_cat("expected something to go through, got ", value.type_name()));
  }
  return items;
}

}  // namespace emelex::jinja
