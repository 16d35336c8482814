#pragma once

#include <string>

#include "tools/evaluate.h"

namespace emelex::cli {

// What `emelex eval` prints, for people.
std::string eval_text(const EvaluateReport& report);

// One object. What was not measured is null.
std::string eval_json(const EvaluateReport& report);

}  // namespace emelex::cli
