#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

// JSON's parser and serializer, compiled once: each file that instantiates them takes a compiler two seconds more. For
// texts that are this program's own or whose size was bounded; weights/bounded_json.h reads those of model files.

namespace emelex {

// The text of a document, on one line, or indented where `indent` is not negative. Throws nlohmann's type_error for
// strings that are not UTF-8.
std::string json_text(const nlohmann::json& json, int indent = -1);
std::string json_text(const nlohmann::ordered_json& json, int indent = -1);

// The same with U+FFFD for what is not UTF-8; with `ascii`, other characters are escaped.
std::string printable_json_text(const nlohmann::json& json, int indent = -1, bool ascii = false);
std::string printable_json_text(const nlohmann::ordered_json& json, int indent = -1, bool ascii = false);

// The document of a text, or one that is_discarded() where the text is not JSON.
nlohmann::json json_of(std::string_view text);
nlohmann::ordered_json ordered_json_of(std::string_view text);
// The same of a text that is known to be JSON. Throws nlohmann's parse_error for others.
nlohmann::json valid_json_of(std::string_view text);
nlohmann::ordered_json valid_ordered_json_of(std::string_view text);

}  // namespace emelex
