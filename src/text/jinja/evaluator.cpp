#include "text/jinja/evaluator.h"

#include <algorithm>

#include "base/strings.h"
#include "text/jinja/filters.h"
#include "text/jinja/functions.h"
#include "text/jinja/limits.h"

namespace emelex::jinja {

namespace {

double total_weight(const Dict& variables) {
  double weight = 0;
  for (const auto& [name, value] : variables.items) weight += value.weight();
  return weight;
}

}  // namespace

Evaluator::Evaluator(const Source& source, const Dict& variables)
    : source_(source), steps_left_(kSteps + kStepsADatum * total_weight(variables)) {
  Scope& globals = make_scope(nullptr);
  for (auto& [name, function] : global_functions()) globals.values.emplace(name, function);
  for (const auto& [name, value] : variables.items) globals.values.insert_or_assign(name.text()->bytes(), value);
}

Text Evaluator::run(const Block& block) {
  Text out;
  execute(block, make_scope(&scopes_.front()), out);
  return out;
}

void Evaluator::fail(std::string_view message, ErrorCode code) const { source_.fail(code, offset_, message); }

void Evaluator::charge(double steps) {
  steps_left_ -= steps;
  if (steps_left_ < 0) fail("expected a template that ends soon, got one that goes on and on");
}

const Value& Evaluator::defined(const Value& value) const {
  if (value.is_undefined()) fail(str_cat(value.undefined_name(), " is undefined"));
  return value;
}

Evaluator::Scope& Evaluator::make_scope(Scope* parent) {
  charge(kStepsAScope);
  return scopes_.emplace_back(Scope{parent, {}});
}

Namespace* Evaluator::make_namespace() {
  charge(kStepsAScope);
  return &namespaces_.emplace_back();
}

void Evaluator::set_member(Namespace& names, std::string_view name, Value value) {
  if (name.starts_with('_')) fail(str_cat("expected a name without '_' at its beginning, got ", quote_bytes(name)));
  charge(static_cast<double>(names.values.size()) / 4);
  names.set(name, std::move(value));
}

Value Evaluator::make_generator(Pull pull) {
  charge(kStepsAScope);
  return Value(&generators_.emplace_back(Generator{std::move(pull)}));
}

std::optional<Value> Evaluator::next_of(Generator& generator) {
  charge(1);
  if (!generator.pull) return std::nullopt;
  const Deeper deeper(*this);
  Pull pull = std::exchange(generator.pull, nullptr);  // Python's, too, is over after a mistake
  std::optional<Value> item = pull();
  if (item) generator.pull = std::move(pull);
  return item;
}

Pull Evaluator::items_of(const Value& value) {
  if (Generator* generator = value.generator()) return [this, generator] { return next_of(*generator); };
  return [items = iterate(value), next = size_t{0}]() mutable {
    return next < items.size() ? std::optional<Value>(items[next++]) : std::nullopt;
  };
}

const Value& Evaluator::hashable(const Value& value) const {
  const List* list = value.list();
  const bool is_tuple = list != nullptr && list->kind == ListKind::tuple;
  if (value.dict() != nullptr || (list != nullptr && !is_tuple && list->kind != ListKind::range)) {
    fail(str_cat("expected a key of a kind that can be one, got ", value.type_name()));
  }
  if (is_tuple) std::for_each(list->items.begin(), list->items.end(), [&](const Value& item) { hashable(item); });
  return value;
}

Evaluator::Deeper::Deeper(Evaluator& evaluator) : evaluator_(evaluator) {
  if (evaluator.depth_ >= kMostEvaluationDepth) {
    evaluator.fail(str_cat("expected evaluation at most ", kMostEvaluationDepth, " deep, got deeper"));
  }
  ++evaluator.depth_;
}

const Value* Evaluator::find(std::string_view name, const Scope& scope) const {
  for (const Scope* at = &scope; at != nullptr; at = at->parent) {
    if (const auto found = at->values.find(name); found != at->values.end()) return &found->second;
  }
  return nullptr;
}

Evaluator::Flow Evaluator::execute(const Block& block, Scope& scope, Text& out) {
  for (const auto& statement : block) {
    const Flow flow = execute(*statement, scope, out);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Evaluator::Flow Evaluator::execute(const Statement& statement, Scope& scope, Text& out) {
  const Deeper deeper(*this);
  offset_ = statement.offset;
  charge(1);
  switch (statement.kind) {
    case StatementKind::data:
      append(out, statement.text);
      break;
    case StatementKind::output:
      append(out, text_of(evaluate(*statement.expressions[0], scope)));
      break;
    case StatementKind::if_:
      return execute_if(statement, scope, out);
    case StatementKind::for_:
      return execute_for(statement, scope, out);
    case StatementKind::set:
      assign(statement.targets[0], evaluate(*statement.expressions[0], scope), scope);
      break;
    case StatementKind::set_block:
      return execute_set_block(statement, scope);
    case StatementKind::macro:
      scope.values.insert_or_assign(statement.name, make_macro(statement, scope));
      break;
    case StatementKind::call_block:
      execute_call_block(statement, scope, out);
      break;
    case StatementKind::filter_block:
      return execute_filter_block(statement, scope, out);
    case StatementKind::with: {
      Scope& inner = make_scope(&scope);
      execute_with(statement, scope, inner);
      return execute(statement.blocks[0], inner, out);
    }
    case StatementKind::scope:
      return execute(statement.blocks[0], make_scope(&scope), out);
    case StatementKind::break_:
      return Flow::break_;
    case StatementKind::continue_:
      return Flow::continue_;
  }
  return Flow::normal;
}

void Evaluator::append(Text& out, const Text& text) {
  charge(Value(text).weight());
  out.append(text);
}

Evaluator::Flow Evaluator::execute_if(const Statement& statement, Scope& scope, Text& out) {
  for (size_t i = 0; i < statement.expressions.size(); ++i) {
    if (evaluate(*statement.expressions[i], scope).truth()) return execute(statement.blocks[i], scope, out);
  }
  const bool has_else = statement.blocks.size() > statement.expressions.size();
  return has_else ? execute(statement.blocks.back(), scope, out) : Flow::normal;
}

std::vector<Value> Evaluator::loop_items(const Statement& statement, Scope& scope, const Value& over) {
  std::vector<Value> items = iterate(over);
  if (!statement.expressions[1]) return items;
  std::vector<Value> kept;
  Scope& inner = make_scope(&scope);
  for (Value& item : items) {
    inner.values.clear();
    assign(statement.targets[0], item, inner);
    if (evaluate(*statement.expressions[1], inner).truth()) kept.push_back(std::move(item));
  }
  return kept;
}

Evaluator::Flow Evaluator::execute_for(const Statement& statement, Scope& scope, Text& out) {
  return run_loop(statement, scope, evaluate(*statement.expressions[0], scope), 1, out);
}

Evaluator::Flow Evaluator::run_loop(const Statement& statement, Scope& scope, const Value& over, int depth, Text& out) {
  charge(kStepsAScope);
  Loop& loop = loops_.emplace_back();
  loop.items = loop_items(statement, scope, over);
  loop.depth = depth;
  if (statement.recursive) {
    loop.call_self = [this, &statement, &scope, depth](const Value& inner) {
      Text text;
      run_loop(statement, scope, inner, depth + 1, text);
      return Value(std::move(text));
    };
  }
  if (loop.items.empty()) return execute(statement.blocks[1], make_scope(&scope), out);
  Scope& inner = make_scope(&scope);
  for (loop.index = 0; loop.index < loop.items.size(); ++loop.index) {
    charge(1);
    inner.values.clear();
    inner.values.emplace("loop", Value(&loop));
    assign(statement.targets[0], loop.items[loop.index], inner);
    if (execute(statement.blocks[0], inner, out) == Flow::break_) break;
  }
  loop.items.clear();  // the loop itself stays, for whoever kept it
  return Flow::normal;
}

Evaluator::Flow Evaluator::execute_set_block(const Statement& statement, Scope& scope) {
  Text text;
  const Flow flow = execute(statement.blocks[0], make_scope(&scope), text);
  Value value(std::move(text));
  if (statement.expressions[0]) value = evaluate_filter(*statement.expressions[0], scope, &value);
  assign(statement.targets[0], value, scope);
  return flow;
}

Evaluator::Flow Evaluator::execute_filter_block(const Statement& statement, Scope& scope, Text& out) {
  Text text;
  const Flow flow = execute(statement.blocks[0], make_scope(&scope), text);
  const Value value(std::move(text));
  append(out, text_of(evaluate_filter(*statement.expressions[0], scope, &value)));
  return flow;
}

void Evaluator::execute_with(const Statement& statement, Scope& scope, Scope& inner) {
  for (size_t i = 0; i < statement.targets.size(); ++i) {
    assign(statement.targets[i], evaluate(*statement.expressions[i], scope), inner);
  }
}

void Evaluator::execute_call_block(const Statement& statement, Scope& scope, Text& out) {
  const Expression& call_expression = *statement.expressions[0];
  const Value callee = evaluate(*call_expression.children[0], scope);
  Arguments arguments = evaluate_arguments(call_expression, scope);
  arguments.named.emplace_back("caller", make_macro(statement, scope));
  append(out, text_of(call(callee, arguments)));
}

void Evaluator::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.parts.empty()) {
    const std::vector<Value> items = iterate(value);
    if (items.size() != target.parts.size()) {
      fail(str_cat("expected ", target.parts.size(), " values to unpack, got ", items.size()));
    }
    for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i], scope);
  } else if (target.attribute.empty()) {
    scope.values.insert_or_assign(target.name, value);
  } else {
    const Value* owner = find(target.name, scope);
    Namespace* names = owner == nullptr ? nullptr : owner->names();
    if (names == nullptr || names->type != "Namespace") {
      fail(str_cat("expected '", target.name, "' to be a namespace, got ",
                   owner == nullptr ? "nothing" : owner->type_name()));
    }
    set_member(*names, target.attribute, value);
  }
}

Value Evaluator::make_macro(const Statement& statement, Scope& scope) {
  return Value(Function{statement.name, [&statement, &scope](Evaluator& evaluator, const Arguments& arguments) {
                          return Value(evaluator.call_macro(statement, scope, arguments));
                        }});
}

// As Python binds arguments, but that parameters without a value are undefined; what is left over goes into varargs and
// kwargs where the macro's body has these names, and is a mistake otherwise.
void Evaluator::bind_macro(const Statement& macro, const Arguments& arguments, Scope& scope) {
  const size_t n_parameters = macro.parameters.size();
  const auto is_parameter = [&](std::string_view name) {
    return std::any_of(macro.parameters.begin(), macro.parameters.end(),
                       [name](const Parameter& parameter) { return parameter.name == name; });
  };
  List more{{}, ListKind::tuple};
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < n_parameters) {
      scope.values.insert_or_assign(macro.parameters[i].name, arguments.positional[i]);
    } else {
      more.items.push_back(arguments.positional[i]);
    }
  }
  if (!more.items.empty() && !macro.special_names.varargs) {
    fail(str_cat("expected at most ", n_parameters, " arguments of '", macro.name, "', got ",
                 arguments.positional.size()));
  }
  Dict others;
  for (const auto& [name, value] : arguments.named) {
    const bool takes = is_parameter(name) || (name == "caller" && macro.special_names.caller);
    if (takes && scope.values.emplace(name, value).second) continue;
    if (!macro.special_names.kwargs) fail(str_cat("expected no argument '", name, "' of '", macro.name, "', got one"));
    others.set(Value(name), value);
  }
  if (macro.special_names.varargs) scope.values.emplace("varargs", Value(std::move(more)));
  if (macro.special_names.kwargs) scope.values.emplace("kwargs", Value(std::move(others)));
  if (macro.special_names.caller) scope.values.emplace("caller", Value::undefined("the caller of a macro"));
  for (const Parameter& parameter : macro.parameters) {
    if (scope.values.find(parameter.name) != scope.values.end()) continue;
    scope.values.emplace(parameter.name, parameter.fallback
                                             ? evaluate(*parameter.fallback, scope)
                                             : Value::undefined(str_cat("the parameter '", parameter.name, "'")));
  }
}

Text Evaluator::call_macro(const Statement& macro, Scope& definition, const Arguments& arguments) {
  Scope& scope = make_scope(&definition);
  const uint32_t offset = offset_;
  bind_macro(macro, arguments, scope);
  Text out;
  execute(macro.blocks[0], scope, out);
  offset_ = offset;
  return out;
}

Value Evaluator::call_loop(const Loop& loop, const Arguments& arguments) {
  if (!loop.call_self) fail("expected a loop that is 'recursive' to be called, got another");
  if (arguments.positional.size() != 1 || !arguments.named.empty()) fail("expected one argument of 'loop', got others");
  const auto call_self = loop.call_self;
  return call_self(arguments.positional[0]);
}

Value Evaluator::call(const Value& callee, const Arguments& arguments) {
  const Deeper deeper(*this);
  charge(1);
  if (const Loop* loop = callee.loop()) return call_loop(*loop, arguments);
  const Function* function = defined(callee).function();
  if (function == nullptr) fail(str_cat("expected something to call, got ", callee.type_name()));
  return function->call(*this, arguments);
}

Text Evaluator::text_of(const Value& value) {
  charge(value.weight());
  return to_text(value);
}

bool Evaluator::equal(const Value& a, const Value& b) {
  charge(std::min(a.weight(), b.weight()));
  return a == b;
}

}  // namespace emelex::jinja
