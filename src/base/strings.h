#pragma once

#include <sstream>
#include <string>

namespace emelex {

// "a", 1, "b" → "a1b". For messages, not for hot paths.
template <class... Parts>
std::string str_cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace emelex
