#include <string>

#include "base/strings.h"
#include "fuzz/seeds.h"

namespace emelex {
namespace {

const std::string kCommit(40, 'a');
const std::string kSha(64, 'b');

std::string info(const std::string& siblings) {
  return str_cat(R"({"id":"org/name","sha":")", kCommit, R"(","siblings":[)", siblings, "]}");
}

std::string large(const std::string& path, const std::string& size) {
  return str_cat(R"({"rfilename":")", path, R"(","size":)", size, R"(,"blobId":")", kCommit, R"(","lfs":{"sha256":")",
                 kSha, R"(","size":)", size, R"(,"pointerSize":130}})");
}

std::string small(const std::string& path) {
  return str_cat(R"({"rfilename":")", path, R"(","size":7,"blobId":")", kCommit, R"("})");
}

std::string manifest(const std::string& path, const std::string& size) {
  return str_cat(R"({"name":"tiny:q4_0","path":")", path, R"(","source":{"kind":"huggingface","repo":"org/name",)",
                 R"("revision":"main","commit":")", kCommit, R"("},"format":"gguf","architecture":"llama",)",
                 R"("parameters":1,"quantization":"q4_0","context_length":2048,"size":)", size,
                 R"(,"files":[{"path":")", path, R"(","size":)", size, R"(,"sha256":")", kSha,
                 R"(","etag":null}],"installed_at":"2026-01-31T12:00:00Z"})");
}

}  // namespace

Seeds hub_info_seeds() {
  return {
      {"one", info(large("Tiny-Q4_0.gguf", "123"))},
      {"several",
       info(large("a-Q4_K_M.gguf", "1") + "," + large("a-Q8_0.gguf", "2") + "," + large("mmproj-f16.gguf", "3"))},
      {"parts",
       info(large("q/a-Q4_K_M-00001-of-00002.gguf", "1") + "," + large("q/a-Q4_K_M-00002-of-00002.gguf", "1"))},
      {"folder", info(small("config.json") + "," + small("tokenizer.json") + "," + large("model.safetensors", "9"))},
      {"pickles", info(small("config.json") + "," + large("pytorch_model.bin", "9"))},
      {"climbs", info(large("../a.gguf", "1"))},
      {"absolute", info(large("/etc/a.gguf", "1"))},
      {"hidden", info(large(".pull/a.gguf", "1"))},
      {"manifest", info(small("manifest.json") + "," + large("a.gguf", "1"))},
      {"same-names", info(large("a.gguf", "1") + "," + large("A.gguf", "1"))},
      {"controls", info(large("a\\u001b[31m.gguf", "1") + "," + large("b\\u007f.gguf", "1"))},
      {"huge", info(large("a.gguf", "9223372036854775807"))},
      {"float", info(large("a.gguf", "1e300"))},
      {"negative", info(large("a.gguf", "-1"))},
      {"no-hash", info(R"({"rfilename":"a.gguf"})")},
      {"no-commit", R"({"sha":"main","siblings":[]})"},
      {"no-list", R"({"sha":"x","siblings":{"a":1}})"},
      {"no-name", info(R"({"rfilename":7})")},
      {"page", "<!DOCTYPE html>"},
      {"deep", std::string(100, '[')},
  };
}

Seeds hub_headers_seeds() {
  return {
      {"linked", str_cat("HTTP/1.1 302 Found\r\nX-Linked-Size: 123\r\nX-Linked-ETag: \"", kSha,
                         "\"\r\nLocation: https://cdn.example/a?b=c\r\n\r\n")},
      {"plain", str_cat("Content-Length: 7\r\nETag: W/\"", kCommit, "\"\r\n")},
      {"relative", "Location: /other/name/resolve/main/a.gguf\r\n"},
      {"no-scheme", "Location: //evil.example/a\r\n"},
      {"downgrade", "Location: http://hub.example/a\r\n"},
      {"limit", "RateLimit: \"api\";r=0;t=55\r\n"},
      {"after", "Retry-After: 99999999999999999999\r\n"},
      {"huge", "X-Linked-Size: 9223372036854775808\r\n"},
      {"continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n"},
      {"empty-etag", "ETag: W/\"\r\nETag: \"\r\n:\r\n"},
  };
}

Seeds manifest_seeds() {
  const std::string good = manifest("Tiny-Q4_0.gguf", "123");
  return {
      {"good", good},
      {"absolute", manifest("/data/Tiny-Q4_0.gguf", "123")},
      {"climbs", manifest("a/../../b", "1")},
      {"zero-byte", manifest("a\\u0000b", "1")},
      {"negative", manifest("a", "-1")},
      {"huge", manifest("a", "18446744073709551615")},
      {"float", manifest("a", "1.5")},
      {"cut", good.substr(0, good.size() / 2)},
      {"invalid-utf8", manifest("\xff\xfe", "1")},
      {"list", "[]"},
  };
}

}  // namespace emelex
