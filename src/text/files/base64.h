#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emelex {

// The bytes of a base64 text (RFC 4648, with or without padding); nothing when it is none.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace emelex
