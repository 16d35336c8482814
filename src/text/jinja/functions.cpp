#include "text/jinja/functions.h"

#include <array>
#include <ctime>
#include <functional>
#include <memory>

#include "text/jinja/call.h"
#include "text/jinja/limits.h"

namespace emelex::jinja {
namespace {

Value range(const Call& call) {
  const auto& given = call.arguments.positional;
  call.bound({"start", "stop", "step"});
  const int64_t first = call.integer_argument(&call.required(given.empty() ? nullptr : &given[0]), 0);
  const int64_t start = given.size() > 1 ? first : 0;
  const int64_t stop = given.size() > 1 ? call.integer_argument(&given[1], 0) : first;
  const int64_t step = given.size() > 2 ? call.integer_argument(&given[2], 1) : 1;
  if (step == 0) call.evaluator.fail("expected a step that is not zero, got zero");
  List list;
  list.kind = ListKind::range;
  list.start = start;
  list.stop = stop;
  list.step = step;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (static_cast<int64_t>(list.items.size()) >= kLongestRange) {
      call.evaluator.fail(str_cat("expected a range of at most ", kLongestRange, " numbers, got a longer one"));
    }
    call.evaluator.charge(1);
    list.items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Value(std::move(list));
}

// What dict() and namespace() take: at most one dict or list of pairs, and named values.
Dict collect(const Call& call) {
  Dict dict;
  for (const Value& given : call.arguments.positional) {
    if (const Dict* other = given.dict()) {
      call.evaluator.charge(static_cast<double>(other->items.size()));
      dict = *other;
      continue;
    }
    for (const Value& pair : call.evaluator.iterate(given)) {
      std::vector<Value> parts = call.evaluator.iterate(pair);
      if (parts.size() != 2) call.evaluator.fail(str_cat("expected pairs for '", call.name, "', got something else"));
      call.evaluator.charge(static_cast<double>(dict.items.size()));
      dict.set(std::move(parts[0]), std::move(parts[1]));
    }
  }
  for (const auto& [name, value] : call.arguments.named) {
    call.evaluator.charge(static_cast<double>(dict.items.size()));
    dict.set(Value(name), value);
  }
  return dict;
}

Value make_namespace(const Call& call) {
  const Dict dict = collect(call);
  Namespace* names = call.evaluator.make_namespace();
  for (const auto& [name, value] : dict.items) {
    if (name.text() != nullptr) call.evaluator.set_member(*names, name.text()->bytes(), value);
  }
  return Value(names);
}

Value raise_exception(const Call& call) {
  const Value& message = call.required(call.bound({"message"})[0]);
  call.evaluator.fail(call.evaluator.text_of(message).bytes());
}

Value strftime_now(const Call& call) {
  constexpr size_t kLongestFormat = 256;
  const std::string& format = call.text_argument(call.bound({"format"})[0]).bytes();
  if (format.empty()) return Value("");
  if (format.size() > kLongestFormat) call.evaluator.fail("expected a shorter format of a date, got a longer one");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 16 * kLongestFormat> buffer;
  const size_t length = std::strftime(buffer.data(), buffer.size(), format.c_str(), &local);
  return Value(std::string(buffer.data(), length));
}

// An object with the values in turn: next() and current go through them, reset() begins anew.
Value cycler(const Call& call) {
  const List values{call.arguments.positional};
  if (values.items.empty() || !call.arguments.named.empty())
    call.evaluator.fail("expected values for 'cycler', got none");
  Namespace* names = call.evaluator.make_namespace();
  names->type = "Cycler";
  const auto place = std::make_shared<size_t>(0);
  const auto add = [&](const char* name, const std::function<Value()>& move) {
    names->set(name, Value(Function{name, [move](Evaluator&, const Arguments&) { return move(); }}));
  };
  names->set("current", values.items[0]);
  add("next", [=] {
    const Value current = values.items[*place];
    *place = (*place + 1) % values.items.size();
    names->set("current", values.items[*place]);
    return current;
  });
  add("reset", [=] {
    *place = 0;
    names->set("current", values.items[0]);
    return Value(None{});
  });
  return Value(names);
}

// A function that gives nothing the first time and then always the separator.
Value joiner(const Call& call) {
  const auto bound = call.bound({"sep"});
  const Value separator = bound[0] == nullptr ? Value(", ") : *bound[0];
  const auto used = std::make_shared<bool>(false);
  return Value(Function{
      "joiner", [=](Evaluator&, const Arguments&) { return std::exchange(*used, true) ? separator : Value(""); },
      separator.depth() + 1});
}

constexpr std::array kFunctions = {
    CallRule{"range", range},
    CallRule{"dict", [](const Call& call) { return Value(collect(call)); }},
    CallRule{"namespace", make_namespace},
    CallRule{"raise_exception", raise_exception},
    CallRule{"strftime_now", strftime_now},
    CallRule{"lipsum", nullptr},
    CallRule{"cycler", cycler},
    CallRule{"joiner", joiner},
};

}  // namespace

const std::vector<std::pair<std::string_view, Value>>& global_functions() {
  static const auto functions = [] {
    std::vector<std::pair<std::string_view, Value>> made;
    for (const CallRule& rule : kFunctions) {
      const auto call = [&rule](Evaluator& evaluator, const Arguments& arguments) {
        if (rule.call == nullptr) {
          evaluator.fail(str_cat("the function '", rule.name, "' is not supported"), ErrorCode::unsupported);
        }
        return rule.call({evaluator, Value(), arguments, rule.name});
      };
      made.emplace_back(rule.name, Value(Function{std::string(rule.name), call}));
    }
    return made;
  }();
  return functions;
}

}  // namespace emelex::jinja
