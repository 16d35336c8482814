// The template interpreter's side of tests/differential/template_check.py:
//
//   render_tool CASES RESULTS
//
// CASES is a JSON list of {"template": TEXT, "variables": [{…}, …]}. RESULTS gets a JSON list with, for each template,
// a list of {"text": …} or {"error": …, "code": …}, one for each set of variables.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "emelex/error.h"
#include "text/jinja/template.h"

namespace {

using Json = nlohmann::ordered_json;
using emelex::jinja::Dict;
using emelex::jinja::List;
using emelex::jinja::None;
using emelex::jinja::Text;
using emelex::jinja::Value;

Value to_value(const Json& json) {
  if (json.is_null()) return Value(None{});
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_number()) return Value(json.get<double>());
  if (json.is_string()) return Value(Text(json.get<std::string>(), true));
  if (json.is_array()) {
    List list;
    for (const Json& item : json) list.items.push_back(to_value(item));
    return Value(std::move(list));
  }
  Dict dict;
  for (const auto& [key, item] : json.items()) dict.set(Value(Text(key, true)), to_value(item));
  return Value(std::move(dict));
}

template <class Fn>
Json result_of(const Fn& fn) {
  try {
    return {{"text", fn()}};
  } catch (const emelex::Error& error) {
    const bool reading = error.code() == emelex::ErrorCode::corrupt_file;
    const char* code = reading ? "corrupt_file" : error.code() == emelex::ErrorCode::unsupported ? "unsupported" : "";
    return {{"error", error.what()}, {"code", code}};
  }
}

Json render(const Json& test) {
  Json results = Json::array();
  std::optional<emelex::jinja::Template> parsed;
  const Json parsing = result_of([&] {
    parsed.emplace(test["template"].get<std::string>(), "template");
    return std::string();
  });
  for (const Json& variables : test["variables"]) {
    results.push_back(parsed ? result_of([&] { return parsed->render(*to_value(variables).dict()).bytes(); })
                             : parsing);
  }
  return results;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "render_tool CASES RESULTS\n";
    return 2;
  }
  std::ifstream cases(argv[1]);
  Json results = Json::array();
  for (const Json& test : Json::parse(cases)) results.push_back(render(test));
  std::ofstream out(argv[2]);
  out << results.dump();
  return out ? 0 : 1;
}
