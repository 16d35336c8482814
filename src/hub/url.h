#pragma once

#include <string>
#include <string_view>

namespace emelex {

// "https://host:443": whom a token may be told. Throws Error(network) unless `url` is one of http or https.
std::string origin_of(const std::string& url);

// `location` of a redirect, which may be relative, as seen from `base`. Throws as origin_of does, and for a redirect
// from https to http.
std::string follow_redirect(const std::string& base, const std::string& location);

// An address as a message may show it: without user, password, query and fragment, and of a bearable length. What is no
// address is treated the same.
std::string public_url(std::string_view url);

// A path for a URL: all but letters, digits, '/' and "-._~" as %XX.
std::string encode_path(std::string_view path);

}  // namespace emelex
