#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/text.h"

namespace emelex::jinja {

class Value;
class Evaluator;
struct Namespace;
struct Loop;
struct Generator;

struct Undefined {
  std::string name;  // what was asked for, for messages
};
struct None {};

// What a call passes.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Something that can be called. What it refers to belongs to the evaluator or the template, so that values never own
// themselves in a circle.
struct Function {
  std::string name;
  std::function<Value(Evaluator&, const Arguments&)> call;
  int depth = 1;  // of what it is bound to, and one more; see Value::depth
};

struct List;
struct Dict;

// A value of the template language: Python's, as far as templates can tell. Immutable and cheap to copy. Making one
// that is nested deeper than limits.h allows throws Error(invalid_argument), so walks over values may recurse.
class Value {
 public:
  using Storage =
      std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const List>,
                   std::shared_ptr<const Dict>, std::shared_ptr<const Function>, Namespace*, Loop*, Generator*>;

  Value() = default;  // undefined
  Value(None none) : storage_(none) {}
  Value(bool flag) : storage_(flag) {}
  Value(int64_t number) : storage_(number) {}
  Value(double number) : storage_(number) {}
  Value(Text text) : storage_(std::make_shared<const Text>(std::move(text))) {}
  Value(std::string text) : Value(Text(std::move(text))) {}
  Value(const char* text) : Value(Text(text)) {}
  Value(List list);
  Value(Dict dict);
  Value(Function function);
  Value(Namespace* names) : storage_(names) {}
  Value(Loop* loop) : storage_(loop) {}
  Value(Generator* generator) : storage_(generator) {}
  static Value undefined(std::string name);

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(storage_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_integer() const { return is<int64_t>() || is<bool>(); }  // True is 1
  bool is_number() const { return is_integer() || is<double>(); }

  // Nullptr when it is something else.
  const Text* text() const { return pointer<Text>(); }
  const List* list() const { return pointer<List>(); }
  const Dict* dict() const { return pointer<Dict>(); }
  const Function* function() const { return pointer<Function>(); }
  Namespace* names() const { return is<Namespace*>() ? std::get<Namespace*>(storage_) : nullptr; }
  Loop* loop() const { return is<Loop*>() ? std::get<Loop*>(storage_) : nullptr; }
  Generator* generator() const { return is<Generator*>() ? std::get<Generator*>(storage_) : nullptr; }
  const std::string& undefined_name() const { return std::get<Undefined>(storage_).name; }

  int64_t integer() const { return is<bool>() ? (std::get<bool>(storage_) ? 1 : 0) : std::get<int64_t>(storage_); }
  double number() const { return is<double>() ? std::get<double>(storage_) : static_cast<double>(integer()); }

  bool truth() const;
  int depth() const;      // 1 for a scalar, one more than the deepest element of a list or dict
  double weight() const;  // about how much work it is to look at all of it: 1 for a number

  // Python's ==. Values of different kinds differ; 1, 1.0 and True are equal.
  friend bool operator==(const Value& a, const Value& b);

  // What Python calls its type: "str", "int", …
  std::string_view type_name() const;

 private:
  template <class T>
  const T* pointer() const {
    const auto* held = std::get_if<std::shared_ptr<const T>>(&storage_);
    return held == nullptr ? nullptr : held->get();
  }

  Storage storage_;
};

// Python's kinds of what has items in an order: range(…), and the keys, values and items of a dict, are none of its
// lists, which shows where they are printed, indexed, compared or written as JSON.
enum class ListKind : uint8_t { list, tuple, range, keys, values, pairs };

struct List {
  std::vector<Value> items;
  ListKind kind = ListKind::list;
  int64_t start = 0;  // of a range, as the next two
  int64_t stop = 0;
  int64_t step = 1;
  bool is_group = false;  // a pair with the names that groupby gives: grouper and list
  int depth = 1;          // see Value; both set by Value(List)
  double weight = 1;

  bool is_plain() const { return kind == ListKind::list || kind == ListKind::tuple; }
  bool has_index() const { return is_plain() || kind == ListKind::range; }
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in order
  int depth = 1;
  double weight = 1;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  void set(Value key, Value value);
};

// namespace(): the one thing whose parts a template may set. Owned by the evaluator.
struct Namespace {
  std::vector<std::pair<std::string, Value>> values;  // in order
  std::string type = "Namespace";                     // others are objects of Jinja's, which can't be set

  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

// Gives one item after the other, and nothing at the end.
using Pull = std::function<std::optional<Value>()>;

// What map, select and their like give: items that are made one by one, when they are asked for, and can be gone
// through once. Owned by the evaluator.
struct Generator {
  Pull pull;  // empty at the end
};

// The variable `loop`. Owned by the evaluator.
struct Loop {
  std::vector<Value> items;
  size_t index = 0;              // from 0
  std::vector<Value> last_seen;  // by loop.changed()
  bool seen = false;
  int depth = 1;                                 // of loops that call themselves
  std::function<Value(const Value&)> call_self;  // of a recursive one
};

// Python's str() and repr(), with the origin of every byte.
Text to_text(const Value& value);
void append_repr(Text& out, const Value& value);

// Python's repr() of a float: the shortest digits that give it back.
std::string float_repr(double number);

}  // namespace emelex::jinja
