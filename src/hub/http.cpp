#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "hub/environment.h"
#include "hub/names.h"
#include "hub/url.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxHeaderBytes = size_t{1} << 20;
constexpr size_t kMaxIgnoredBytes = size_t{1} << 20;  // of a body that nobody wants

// What is taken from the system at a time: with a sixteenth of it a byte from a server on the same machine costs half
// as much again. Only so much of the memory is touched as comes at once.
constexpr long kReceiveBytes = 4L << 20;
// curl hands that on in pieces of 16 KB or less, which are dear to write one by one. So they are gathered, unless they
// come slowly.
// Slower than that for stall_seconds, a connection is given up: a byte now and then is no progress.
constexpr long kLeastBytesPerSecond = 128;
constexpr size_t kGatherBytes = size_t{256} << 10;
constexpr std::chrono::milliseconds kGatherTime{50};

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      throw Error(ErrorCode::internal, "[hub] libcurl could not be started");
    }
  });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// What is wrong with this machine's set-up or the address stays wrong.
bool is_lasting(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_NOT_BUILT_IN:
      return true;
    default:
      return false;
  }
}

template <class Value>
void set(CURL* curl, CURLoption option, Value value) {
  if (curl_easy_setopt(curl, option, value) != CURLE_OK) {
    throw Error(ErrorCode::internal, str_cat("[hub] libcurl refused its option ", static_cast<int>(option)));
  }
}

// OpenSSL's variables. The library behind curl may be another one, which does not read them.
void set_certificates(CURL* curl) {
  const std::string file = environment("SSL_CERT_FILE");
  const std::string folder = environment("SSL_CERT_DIR");
  if (!file.empty()) set(curl, CURLOPT_CAINFO, file.c_str());
  if (!folder.empty()) set(curl, CURLOPT_CAPATH, folder.c_str());
}

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// A request must not be sent without one of its headers, so a failed allocation is an error.
void add_header(Headers& headers, const std::string& line) {
  curl_slist* list = curl_slist_append(headers.get(), line.c_str());
  if (list == nullptr) throw std::bad_alloc();
  headers.release();  // it is the list's beginning, or the list was empty
  headers.reset(list);
}

}  // namespace

struct HttpConnection::Handle {
  CURL* curl = curl_easy_init();
  // A handle whose last transfer found no address refuses options from then on: curl holds it for still busy.
  void renew() {
    CURL* other = curl_easy_init();
    if (other == nullptr) throw Error(ErrorCode::out_of_memory, "[hub] libcurl could not be started");
    curl_easy_cleanup(std::exchange(curl, other));
  }
  char message[CURL_ERROR_SIZE] = "";
  std::vector<std::byte> gathered;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(curl); }
};

// What curl's callbacks have in common during one request. No exception may pass through curl, so the first is kept.
class HttpConnection::Transfer {
 public:
  Transfer(CURL* curl, const HttpRequest& request, const BodyChooser& choose, const std::atomic<bool>* cancel,
           std::vector<std::byte>& gathered)
      : curl_(curl), choose_(choose), cancel_(cancel), gathered_(gathered) {
    response_.url = request.url;
    gathered_.clear();
  }

  static size_t on_header(char* data, size_t, size_t n, void* self) {
    return static_cast<Transfer*>(self)->guarded(n, [&](Transfer& t) { t.add_header({data, n}); });
  }

  static size_t on_body(char* data, size_t, size_t n, void* self) {
    return static_cast<Transfer*>(self)->guarded(n,
                                                 [&](Transfer& t) { t.add_body(std::as_bytes(std::span(data, n))); });
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.cancel_ != nullptr && *transfer.cancel_) return 1;
    return static_cast<int>(transfer.guarded(0, [](Transfer& t) {
      if (Clock::now() - t.handed_on_ >= kGatherTime) t.hand_on();
    }));
  }

  // After curl is done. An answer without a body has not been chosen for yet.
  HttpResponse finish(CURLcode code, std::string_view message) {
    if (failure_) std::rethrow_exception(failure_);
    hand_on();
    if (code == CURLE_ABORTED_BY_CALLBACK) throw Error(ErrorCode::cancelled, "[hub] interrupted");
    if (code != CURLE_OK) {
      const std::string text = str_cat("[hub] ", in_quotes(public_url(response_.url)), ": ",
                                       message.empty() ? curl_easy_strerror(code) : message);
      if (is_lasting(code)) throw Error(ErrorCode::network, text);
      throw TransientError(text);
    }
    choose();
    return response_;
  }

 private:
  // After a failure curl still asks for progress: nothing is done any more, or what the sink threw at came to it again.
  template <class Work>
  size_t guarded(size_t n, const Work& work) {
    try {
      if (!failure_) work(*this);
    } catch (...) {
      failure_ = std::current_exception();
    }
    if (!failure_) return n;
    return n == 0 ? 1 : 0;  // any number but n: curl stops
  }

  void add_header(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMaxHeaderBytes) throw Error(ErrorCode::network, "[hub] a server's headers have no end");
    response_.add_line(line);
  }

  void choose() {
    if (chosen_) return;
    chosen_ = true;
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    if (choose_) sink_ = choose_(response_);
  }

  void add_body(std::span<const std::byte> bytes) {
    choose();
    if (sink_) {
      gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
      if (gathered_.size() >= kGatherBytes) hand_on();
    } else if ((ignored_ += bytes.size()) > kMaxIgnoredBytes) {
      throw TransientError(str_cat("[hub] status ", response_.status, " with more to it than anyone reads"));
    }
  }

  void hand_on() {
    if (!gathered_.empty()) sink_(gathered_);
    gathered_.clear();
    handed_on_ = Clock::now();
  }

  CURL* curl_;
  const BodyChooser& choose_;
  const std::atomic<bool>* cancel_;
  std::vector<std::byte>& gathered_;  // of the body, for the sink
  Clock::time_point handed_on_ = Clock::now();
  HttpResponse response_;
  BodySink sink_;
  bool chosen_ = false;
  size_t header_bytes_ = 0;
  size_t ignored_ = 0;
  std::exception_ptr failure_;
};

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

void HttpResponse::add_line(std::string_view line) {
  if (line.starts_with("HTTP/")) return headers.clear();  // a new answer: after "100 Continue"
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos)
    headers[to_lower(trimmed(line.substr(0, colon)))] = trimmed(line.substr(colon + 1));
}

HttpConnection::HttpConnection(const HttpOptions& options) : options_(options) {
  start_curl();
  handle_ = std::make_unique<Handle>();
  if (handle_->curl == nullptr) throw Error(ErrorCode::out_of_memory, "[hub] libcurl could not be started");
}

HttpConnection::~HttpConnection() = default;

HttpResponse HttpConnection::perform(const HttpRequest& request, const BodyChooser& choose) {
  CURL* curl = handle_->curl;
  curl_easy_reset(curl);  // keeps connections
  handle_->message[0] = '\0';
  set(curl, CURLOPT_ERRORBUFFER, handle_->message);
  set(curl, CURLOPT_URL, request.url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_FOLLOWLOCATION, 0L);
  set(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(curl, CURLOPT_USERAGENT, "emelex/" EMELEX_VERSION);
  set(curl, CURLOPT_BUFFERSIZE, kReceiveBytes);
  set(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_seconds * 1000));
  set(curl, CURLOPT_LOW_SPEED_LIMIT, kLeastBytesPerSecond);
  set(curl, CURLOPT_LOW_SPEED_TIME, std::max(1L, std::lround(options_.stall_seconds)));
  set_certificates(curl);
  if (request.head) set(curl, CURLOPT_NOBODY, 1L);
  if (request.end >= 0) {
    set(curl, CURLOPT_RANGE, str_cat(request.first, "-", request.end - 1).c_str());  // curl copies it
  }
  // Sizes and hashes are those of the stored bytes, so the hub must not compress them.
  Headers headers(nullptr, &curl_slist_free_all);
  add_header(headers, "Accept-Encoding: identity");
  if (!request.token.empty()) add_header(headers, "Authorization: Bearer " + request.token);
  set(curl, CURLOPT_HTTPHEADER, headers.get());

  Transfer transfer(curl, request, choose, options_.cancel, handle_->gathered);
  set(curl, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(curl, CURLOPT_HEADERDATA, &transfer);
  set(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(curl, CURLOPT_WRITEDATA, &transfer);
  set(curl, CURLOPT_NOPROGRESS, 0L);
  set(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  set(curl, CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) handle_->renew();
  return transfer.finish(code, handle_->message);
}

}  // namespace emelex
