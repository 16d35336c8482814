// The template language on hostile templates and data. The input is a template, and after a zero byte a message, which
// is also read as the JSON of tools.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "emelex/error.h"
#include "text/jinja/json_value.h"
#include "text/jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace emelex::jinja;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string content(input.substr(std::min(end + 1, input.size())));
  Dict message;
  message.set(Value("role"), Value("user"));
  message.set(Value("content"), Value(Text(content, true)));
  List messages;
  messages.items.emplace_back(std::move(message));
  Dict variables;
  variables.set(Value("messages"), Value(std::move(messages)));
  variables.set(Value("add_generation_prompt"), Value(true));
  try {
    variables.set(Value("tools"), value_from_json(content, "the tools"));
  } catch (const emelex::Error& error) {
    if (error.code() != emelex::ErrorCode::invalid_argument) std::abort();
  }
  try {
    const Text text = Template(input.substr(0, end), "fuzz").render(variables);
    std::string joined;
    for (const emelex::Segment& segment : text.segments()) joined += segment.text;
    if (joined != text.bytes()) std::abort();
  } catch (const emelex::Error& error) {
    if (error.code() == emelex::ErrorCode::internal) std::abort();
  }
  return 0;
}
