#pragma once

#include <vector>

#include "text/jinja/evaluator.h"

namespace emelex::jinja {

// An item, and what it is sorted by.
struct Keyed {
  Value key;
  Value item;
};

// Strings are compared by their lower case unless told otherwise.
Value sort_key(Evaluator& evaluator, const Value& value, bool case_sensitive);

// Items that are equal keep their order. Fails when two have none.
void sort_keyed(Evaluator& evaluator, std::vector<Keyed>& keyed, bool reverse);

}  // namespace emelex::jinja
