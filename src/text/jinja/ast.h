#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace emelex::jinja {

enum class Operator {
  // of two values
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  // comparisons
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
  // of one
  plus,
  minus,
  negate,  // `not`
};

enum class ExpressionKind {
  constant,     // value
  variable,     // name
  tuple,        // children
  list,         // children
  dict,         // children: key, value, key, value, …
  attribute,    // children[0] . name
  item,         // children[0] [ children[1] ]
  slice,        // children[0] [ children[1] : children[2] : children[3] ]; nullptr where nothing is written
  call,         // children[0] ( the other children, named )
  filter,       // children[0] | name ( the other children, named ); in a filter block children[0] is nullptr
  test,         // children[0] is name ( the other children, named )
  unary,        // operators[0] children[0]
  binary,       // children[0] operators[0] children[1]
  comparison,   // children[0] operators[0] children[1] operators[1] children[2] …
  logical_and,  // children[0] and children[1]
  logical_or,   // children[0] or children[1]
  conditional,  // children[0] if children[1] else children[2], which may be nullptr
  concat,       // children[0] ~ children[1] ~ …
};

struct Expression {
  ExpressionKind kind;
  uint32_t offset = 0;  // in the source
  int depth = 1;        // of what is below, and one more
  std::string name;
  Value value;
  std::vector<Operator> operators;
  std::vector<std::unique_ptr<Expression>> children;
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> named;
  std::unique_ptr<Expression> unpacked;        // of a call: what stands behind *, or nullptr
  std::unique_ptr<Expression> unpacked_named;  // behind **
};
using ExpressionPtr = std::unique_ptr<Expression>;

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

// What is assigned to: names; or one attribute of a namespace.
struct Target {
  uint32_t offset = 0;
  std::string name;           // a variable, or the namespace's
  std::string attribute;      // empty: a variable
  std::vector<Target> parts;  // not empty: unpacks into these
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback;  // nullptr: none
};

// The names that a macro gets beside its parameters, when its body has them.
struct SpecialNames {
  bool caller = false;
  bool varargs = false;  // more positional arguments than parameters are allowed, too
  bool kwargs = false;   // and other named ones
};

enum class StatementKind {
  data,          // text
  output,        // expressions[0]
  if_,           // branch i: expressions[i], blocks[i]; blocks may have one more, for else
  for_,          // target in expressions[0] if expressions[1] (or nullptr): blocks[0], else blocks[1]
  set,           // target = expressions[0]
  set_block,     // target = blocks[0], through the filter expressions[0] (or nullptr)
  macro,         // name(parameters): blocks[0]
  call_block,    // expressions[0] is the call; caller(parameters) is blocks[0]
  filter_block,  // expressions[0] is the filter, for blocks[0]
  with,          // targets = expressions: blocks[0]
  scope,         // blocks[0] in a scope of its own
  break_,
  continue_,
};

struct Statement {
  StatementKind kind;
  uint32_t offset = 0;
  std::string name;
  Text text;
  std::vector<ExpressionPtr> expressions;
  std::vector<Block> blocks;
  std::vector<Target> targets;
  std::vector<Parameter> parameters;
  bool recursive = false;      // of a for loop: may be called by its `loop`
  SpecialNames special_names;  // of a macro or call block: which of them its body has
};

}  // namespace emelex::jinja
