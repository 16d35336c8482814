#pragma once

#include <string>

#include "emelex/engine.h"
#include "tools/bench_requests.h"

namespace emelex::cli {

// What `bench --requests` measured, for people and as one JSON object.
std::string requests_markdown(const RequestsReport& report, const BuildInfo& build);
std::string requests_json(const RequestsReport& report, const BuildInfo& build);

}  // namespace emelex::cli
