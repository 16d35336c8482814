#include "hub/url.h"

#include <curl/curl.h>

#include <memory>

#include "base/strings.h"
#include "emelex/error.h"
#include "hub/names.h"

namespace emelex {
namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

Url parse(const std::string& url, const std::string& base = {}) {
  Url parsed(curl_url(), &curl_url_cleanup);
  const bool good = parsed != nullptr &&
                    (base.empty() || curl_url_set(parsed.get(), CURLUPART_URL, base.c_str(), 0) == CURLUE_OK) &&
                    curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_URLENCODE) == CURLUE_OK;
  if (!good)
    throw Error(ErrorCode::network,
                str_cat("[hub] expected the address of a server, got ", in_quotes(public_url(url))));
  return parsed;
}

std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return "";
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, &curl_free);
  return text;
}

std::string origin(const Url& url, const std::string& text) {
  const std::string scheme = part(url, CURLUPART_SCHEME);
  const std::string host = to_lower(part(url, CURLUPART_HOST));
  if ((scheme != "http" && scheme != "https") || host.empty()) {
    throw Error(ErrorCode::network, str_cat("[hub] expected an address that begins with http:// or https://, got ",
                                            in_quotes(public_url(text))));
  }
  return str_cat(scheme, "://", host, ":", part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

}  // namespace

std::string origin_of(const std::string& url) { return origin(parse(url), url); }

std::string follow_redirect(const std::string& base, const std::string& location) {
  const Url target = parse(location, base);
  const bool was_safe = origin_of(base).starts_with("https:");
  if (was_safe && !origin(target, location).starts_with("https:")) {
    throw Error(ErrorCode::network,
                str_cat("[hub] refused to be sent from https to ", in_quotes(public_url(location))));
  }
  origin(target, location);
  return part(target, CURLUPART_URL);
}

std::string public_url(std::string_view url) {
  constexpr size_t kMostBytes = 200;
  url = url.substr(0, url.find_first_of("?#"));
  const size_t scheme = url.find("//");
  const size_t begin = scheme == std::string_view::npos ? 0 : scheme + 2;
  // A password may hold a '/' that nobody has encoded: then what stands before it is no host with a port.
  const std::string_view authority = url.substr(begin, url.find('/', begin) - begin);
  const size_t colon = authority.find(':');
  const bool is_host =
      colon == std::string_view::npos || authority.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  const size_t at = (is_host ? url.substr(0, begin + authority.size()) : url).rfind('@');
  std::string text(at == std::string_view::npos ? url : url.substr(0, begin));
  if (at != std::string_view::npos) text += url.substr(at + 1);
  return text.size() > kMostBytes ? text.substr(0, kMostBytes) + "..." : text;
}

std::string encode_path(std::string_view path) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

}  // namespace emelex
