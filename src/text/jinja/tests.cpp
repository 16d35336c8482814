#include "text/jinja/tests.h"

#include <algorithm>
#include <array>

#include "text/jinja/call.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/operators.h"

namespace emelex::jinja {
namespace {

struct TestRule {
  std::string_view name;
  bool (*passes)(const Call&);
};

template <Operator Op>
bool compares(const Call& call) {
  return compare(call.evaluator, Op, call.self, call.required(call.bound({"other"})[0]));
}

int64_t remainder(const Call& call, int64_t divisor) {
  const Value rest = apply_binary(call.evaluator, Operator::modulo, call.self, Value(divisor));
  return rest.is_integer() ? rest.integer() : rest.number() == 0 ? 0 : -1;
}

bool is_sequence(const Call& call) {
  const Value& value = call.self;
  const bool has_index = value.list() != nullptr && value.list()->has_index();
  return value.text() != nullptr || has_index || value.dict() != nullptr || value.is_undefined();
}

bool is_iterable(const Call& call) {
  const Value& value = call.self;
  return is_sequence(call) || value.list() != nullptr || value.loop() != nullptr || value.generator() != nullptr;
}

bool is_callable(const Call& call) {
  return call.self.function() != nullptr || call.self.is_undefined() || call.self.loop() != nullptr;
}

bool is_markup(const Call& call) { return call.self.text() != nullptr && call.self.text()->is_markup(); }

// Whether the two are the same object; equal constants of one type always are, as far as templates can tell.
bool same_as(const Call& call) {
  const Value& other = call.required(call.bound({"other"})[0]);
  return call.self.type_name() == other.type_name() && call.evaluator.equal(call.self, other);
}

template <Case Which>
bool is_in_case(const Call& call) {
  return is_all_in_case(call.evaluator.text_of(call.self), Which);
}

constexpr std::array kTests = {
    TestRule{"defined", [](const Call& call) { return !call.self.is_undefined(); }},
    TestRule{"undefined", [](const Call& call) { return call.self.is_undefined(); }},
    TestRule{"none", [](const Call& call) { return call.self.is_none(); }},
    TestRule{"boolean", [](const Call& call) { return call.self.is<bool>(); }},
    TestRule{"true", [](const Call& call) { return call.self.is<bool>() && call.self.truth(); }},
    TestRule{"false", [](const Call& call) { return call.self.is<bool>() && !call.self.truth(); }},
    TestRule{"integer", [](const Call& call) { return call.self.is<int64_t>(); }},
    TestRule{"float", [](const Call& call) { return call.self.is<double>(); }},
    TestRule{"number", [](const Call& call) { return call.self.is_number(); }},
    TestRule{"string", [](const Call& call) { return call.self.text() != nullptr; }},
    TestRule{"mapping", [](const Call& call) { return call.self.dict() != nullptr; }},
    TestRule{"sequence", is_sequence},
    TestRule{"iterable", is_iterable},
    TestRule{"callable", is_callable},
    TestRule{"escaped", is_markup},
    TestRule{"filter", [](const Call& call) { return call.self.text() != nullptr && has_filter(call.text().bytes()); }},
    TestRule{"test", [](const Call& call) { return call.self.text() != nullptr && has_test(call.text().bytes()); }},
    TestRule{"sameas", same_as},
    TestRule{"eq", compares<Operator::equal>},
    TestRule{"==", compares<Operator::equal>},
    TestRule{"equalto", compares<Operator::equal>},
    TestRule{"ne", compares<Operator::not_equal>},
    TestRule{"!=", compares<Operator::not_equal>},
    TestRule{"lt", compares<Operator::less>},
    TestRule{"<", compares<Operator::less>},
    TestRule{"lessthan", compares<Operator::less>},
    TestRule{"le", compares<Operator::less_equal>},
    TestRule{"<=", compares<Operator::less_equal>},
    TestRule{"gt", compares<Operator::greater>},
    TestRule{">", compares<Operator::greater>},
    TestRule{"greaterthan", compares<Operator::greater>},
    TestRule{"ge", compares<Operator::greater_equal>},
    TestRule{">=", compares<Operator::greater_equal>},
    TestRule{"in", compares<Operator::in>},
    TestRule{"odd", [](const Call& call) { return remainder(call, 2) == 1; }},
    TestRule{"even", [](const Call& call) { return remainder(call, 2) == 0; }},
    TestRule{"divisibleby",
             [](const Call& call) {
               const auto bound = call.bound({"num"});
               return remainder(call, call.integer_argument(&call.required(bound[0]), 1)) == 0;
             }},
    TestRule{"upper", is_in_case<Case::upper>},
    TestRule{"lower", is_in_case<Case::lower>},
};

}  // namespace

bool has_test(std::string_view name) {
  return std::any_of(kTests.begin(), kTests.end(), [&](const TestRule& rule) { return rule.name == name; });
}

bool apply_test(Evaluator& evaluator, std::string_view name, const Value& value, const Arguments& arguments) {
  const auto rule = std::find_if(kTests.begin(), kTests.end(), [&](const TestRule& r) { return r.name == name; });
  if (rule == kTests.end()) {
    evaluator.fail(str_cat("the test ", quote_bytes(name), " is not supported"), ErrorCode::unsupported);
  }
  return rule->passes({evaluator, value, arguments, name});
}

}  // namespace emelex::jinja
