#pragma once

#include <string_view>

#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// a.name: a method, or else what a["name"] gives. Undefined when there is neither.
Value attribute_of(Evaluator& evaluator, const Value& owner, std::string_view name);

// a[key]. Undefined when there is none.
Value item_of(Evaluator& evaluator, const Value& owner, const Value& key);

// a[start:stop:step]; None stands for what is not given.
Value slice_of(Evaluator& evaluator, const Value& owner, const Value& start, const Value& stop, const Value& step);

// "a.b.0": attributes of attributes, as filters take them.
Value path_of(Evaluator& evaluator, const Value& owner, const Value& path);

// How many items, characters or keys. Fails when it has no length.
int64_t length_of(Evaluator& evaluator, const Value& value);

}  // namespace emelex::jinja
