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

TEST_CASE("an address is shown without what may be secret") {
  CHECK(public_url("https://user:secret@hub.example:8443/a/b?token=x#y") == "https://hub.example:8443/a/b");
  CHECK(public_url("https://secret@hub.example") == "https://hub.example");
  CHECK(public_url("http://user:se/cr@et@hub.example/a") == "http://hub.example/a");
  CHECK(public_url("/relative?X-Amz-Signature=x") == "/relative");
  CHECK(public_url("https://hub.example/a@b") == "https://hub.example/a@b");
  CHECK(public_url("user:secret@hub.example").find("secret") == std::string::npos);
  CHECK(public_url("http://h/" + std::string(100'000, 'x')).size() < 300);
  for (const char* url : {"ftp://user:secret@hub/?sig=hidden", "http://user:secret@ho st/?sig=hidden"}) {
    try {
      origin_of(url);
      FAIL("no Error was thrown");
    } catch (const Error& error) {
      const std::string text = error.what();
      CHECK(text.find("secret") == std::string::npos);
      CHECK(text.find("hidden") == std::string::npos);
    }
  }
}
