#pragma once

#include <deque>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/source.h"
#include "text/jinja/value.h"

namespace emelex::jinja {

// One rendering of a template. Everything in it is counted, so that no template can run for long or use much memory;
// and nothing in it can reach files, the network or other processes.
class Evaluator {
 public:
  // The names in `variables` are texts. How much data is in them raises the limits.
  Evaluator(const Source& source, const Dict& variables);

  Text run(const Block& block);

  // For operators, filters, tests, methods and functions. Errors are placed at the expression being evaluated.
  [[noreturn]] void fail(std::string_view message, ErrorCode code = ErrorCode::invalid_argument) const;
  void charge(double steps);  // throws when the template has used up its steps
  Value call(const Value& callee, const Arguments& arguments);
  Text text_of(const Value& value);                // str()
  bool equal(const Value& a, const Value& b);      // ==
  std::vector<Value> iterate(const Value& value);  // what `for` goes through
  Namespace* make_namespace();
  void set_member(Namespace& names, std::string_view name, Value value);  // fails on names that are kept from templates
  Value make_generator(Pull pull);
  std::optional<Value> next_of(Generator& generator);  // nothing at the end
  Pull items_of(const Value& value);                   // what iterate() gives, of a generator only what is asked for

  // `value` itself, unless it is undefined: an error.
  const Value& defined(const Value& value) const;

  // `value` itself, unless it can't be a dict's key: an error.
  const Value& hashable(const Value& value) const;

 private:
  struct Scope {
    Scope* parent;
    std::map<std::string, Value, std::less<>> values;
  };
  enum class Flow { normal, break_, continue_ };

  // Counts how deep evaluation is, so that a template can't exhaust the stack.
  class Deeper {
   public:
    explicit Deeper(Evaluator& evaluator);
    ~Deeper() { --evaluator_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Evaluator& evaluator_;
  };

  Flow execute(const Block& block, Scope& scope, Text& out);
  Flow execute(const Statement& statement, Scope& scope, Text& out);
  Flow execute_if(const Statement& statement, Scope& scope, Text& out);
  Flow execute_for(const Statement& statement, Scope& scope, Text& out);
  Flow run_loop(const Statement& statement, Scope& scope, const Value& over, int depth, Text& out);
  Flow execute_set_block(const Statement& statement, Scope& scope);
  Flow execute_filter_block(const Statement& statement, Scope& scope, Text& out);
  void execute_with(const Statement& statement, Scope& scope, Scope& inner);
  void execute_call_block(const Statement& statement, Scope& scope, Text& out);
  std::vector<Value> loop_items(const Statement& statement, Scope& scope, const Value& over);
  void append(Text& out, const Text& text);
  void assign(const Target& target, const Value& value, Scope& scope);
  Value make_macro(const Statement& statement, Scope& scope);
  Text call_macro(const Statement& macro, Scope& definition, const Arguments& arguments);
  void bind_macro(const Statement& macro, const Arguments& arguments, Scope& scope);
  Value call_loop(const Loop& loop, const Arguments& arguments);
  Scope& make_scope(Scope* parent);
  const Value* find(std::string_view name, const Scope& scope) const;

  Value evaluate(const Expression& expression, Scope& scope);
  Value evaluate_kind(const Expression& expression, Scope& scope);
  Value evaluate_sequence(const Expression& expression, Scope& scope);
  Value evaluate_dict(const Expression& expression, Scope& scope);
  Value evaluate_slice(const Expression& expression, Scope& scope);
  Value evaluate_call(const Expression& expression, Scope& scope);
  Value evaluate_filter(const Expression& expression, Scope& scope, const Value* input);
  Value evaluate_test(const Expression& expression, Scope& scope);
  Value evaluate_comparison(const Expression& expression, Scope& scope);
  Value evaluate_conditional(const Expression& expression, Scope& scope);
  Value evaluate_concat(const Expression& expression, Scope& scope);
  Arguments evaluate_arguments(const Expression& expression, Scope& scope);

  const Source& source_;
  double steps_left_;
  int depth_ = 0;
  uint32_t offset_ = 0;  // of what is being evaluated
  std::deque<Scope> scopes_;
  std::deque<Namespace> namespaces_;
  std::deque<Loop> loops_;
  std::deque<Generator> generators_;
};

// The arguments of a call, in the order of `names`; nullptr for those that were not given. Fails on others.
std::vector<const Value*> bind(Evaluator& evaluator, std::string_view function, const Arguments& arguments,
                               std::initializer_list<std::string_view> names);

}  // namespace emelex::jinja
