#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hub/transient_error.h"

namespace emelex {

struct HttpRequest {
  std::string url;
  std::string token;  // for "Authorization: Bearer"; empty: none
  bool head = false;  // HEAD instead of GET
  int64_t first = 0;  // the bytes [first, end) alone…
  int64_t end = -1;   // …unless this is -1
};

struct HttpResponse {
  std::string url;
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; of several the last

  // "" where there is none.
  std::string header(const std::string& name) const;
  // Takes a line of the head: "Name: value". One that begins an answer, "HTTP/1.1 200 OK", drops those before.
  void add_line(std::string_view line);
  bool is_redirect() const { return status >= 300 && status < 400 && status != 304; }
};

using BodySink = std::function<void(std::span<const std::byte> bytes)>;

// Called once with an answer's status and headers; what it returns is given the body. An empty one: the body is read
// past. Whatever either throws ends the transfer and comes out of HttpConnection::perform.
using BodyChooser = std::function<BodySink(const HttpResponse& response)>;

struct HttpOptions {
  double stall_seconds = 30;    // with hardly a byte: the transfer ends
  double connect_seconds = 15;  // to reach a server
  const std::atomic<bool>* cancel = nullptr;
};

// Requests one after another, over connections that are kept. Redirects are not followed. Proxies and certificates are
// as the environment says: https_proxy, no_proxy, SSL_CERT_FILE, SSL_CERT_DIR. For one thread at a time.
class HttpConnection {
 public:
  explicit HttpConnection(const HttpOptions& options);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Throws TransientError when there is no answer or not all of it, Error(network) for what trying again won't mend,
  // Error(cancelled). A status is no error.
  HttpResponse perform(const HttpRequest& request, const BodyChooser& choose = {});

 private:
  class Transfer;
  struct Handle;
  HttpOptions options_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace emelex
