#include "hub/url.h"

#include <doctest/doctest.h>

#include "base/expect_error.h"
#include "hub/hub_answers.h"

using namespace emelex;

TEST_CASE("an origin is scheme, host and port") {
  CHECK(origin_of("https://Hub.example/a?b#c") == "https://hub.example:443");
  CHECK(origin_of("http://hub.example:8080/") == "http://hub.example:8080");
  CHECK(origin_of("https://hub.example@evil.example/") == "https://evil.example:443");
  for (const char* url : {"file:///etc/passwd", "ftp://hub.example/", "no address", ""}) {
    expect_error(ErrorCode::network, {}, [&] { origin_of(url); });
  }
}

TEST_CASE("redirects may be relative, and don't leave https") {
  CHECK(follow_redirect("https://hub.example/a/b?c", "/d") == "https://hub.example/d");
  CHECK(follow_redirect("https://hub.example/a/b", "d?e=f") == "https://hub.example/a/d?e=f");
  CHECK(follow_redirect("http://hub.example/a", "https://cdn.example/x") == "https://cdn.example/x");
  expect_error(ErrorCode::network, {"https"}, [] { follow_redirect("https://hub.example/", "http://hub.example/"); });
  expect_error(ErrorCode::network, {}, [] { follow_redirect("https://hub.example/", "file:///etc/passwd"); });
}

TEST_CASE("what means something in an address is no part of a file's name") {
  CHECK(encode_path("a b/c?d#e%.gguf") == "a%20b/c%3Fd%23e%25.gguf");
  const HubAccess access{.endpoint = "https://hub.example"};
  CHECK(resolve_url(access, "org/name", "abc", "x y.gguf") == "https://hub.example/org/name/resolve/abc/x%20y.gguf");
}

TEST_CASE("ETags are compared without their quotes") {
  CHECK(plain_etag("W/\"abc\"") == "abc");
  CHECK(plain_etag("\"abc\"") == "abc");
  CHECK(plain_etag("abc") == "abc");
  CHECK(plain_etag("\"").size() == 1);
}
