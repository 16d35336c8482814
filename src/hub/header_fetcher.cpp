#include "hub/header_fetcher.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "hub/header_bytes.h"
#include "hub/names.h"
#include "hub/url.h"

namespace emelex {
namespace {

constexpr int kMaxRedirects = 8;
constexpr int64_t kFirstBytes = int64_t{16} << 10;
constexpr int64_t kGrowth = 4;

// Ends a transfer that has brought what was wanted.
struct Enough {};

class HeaderFetcher {
 public:
  HeaderFetcher(HttpConnection& connection, const HubAccess& access, const RepoInfo& info, const RemoteFile& remote,
                PartFile& file)
      : connection_(connection), access_(access), info_(info), remote_(remote), file_(file) {}

  bool fetch(const RetryPolicy& retry) {
    while (!is_whole()) {
      const int64_t have = file_.ready(0);
      const int64_t end = std::min(remote_.size, std::max(kFirstBytes, have * kGrowth));
      with_retries(retry, [&] {
        if (file_.ready(0) < end) fetch_range(file_.ready(0), end);  // a try that was cut off has brought some of it
      });
      if (file_.ready(0) <= have) throw Error(ErrorCode::network, str_cat(name(), ": no bytes came"));
    }
    for (size_t i = 0; i < file_.n_parts() && file_.position(i) > file_.begin(i); ++i) file_.save(i);
    return ranges_;
  }

 private:
  std::string name() const { return str_cat("[hub] ", in_quotes(remote_.path)); }

  bool is_whole() const {
    const int64_t have = file_.ready(0);
    if (have >= remote_.size) return true;
    std::vector<std::byte> bytes(static_cast<size_t>(have));
    for (size_t at = 0; at < bytes.size();) at += file_.read(static_cast<int64_t>(at), std::span(bytes).subspan(at));
    const bool gguf = to_lower(remote_.path).ends_with(".gguf");
    return (gguf ? gguf_header_bytes(bytes) : safetensors_header_bytes(bytes)).has_value();
  }

  // Bytes of the file that follow those that are there.
  void append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      size_t part = 0;
      while (part < file_.n_parts() && file_.complete(part)) ++part;
      if (part == file_.n_parts()) return;
      const auto room = static_cast<size_t>(file_.end(part) - file_.position(part));
      const auto piece = bytes.subspan(0, std::min(room, bytes.size()));
      file_.write(part, piece);
      bytes = bytes.subspan(piece.size());
    }
  }

  BodySink sink_for(const HttpResponse& head, int64_t first, int64_t end) {
    if (head.status != 200 && head.status != 206) return {};
    const std::string range = head.header("content-range");
    const std::string begins = str_cat("bytes ", first, "-");
    if (head.status == 206 && range.substr(0, begins.size()) != begins) {
      throw TransientError(str_cat(name(), ": expected '", begins, "', got ", in_quotes(range.substr(0, 80))));
    }
    if (head.status == 200) ranges_ = false;
    int64_t skip = head.status == 200 ? file_.ready(0) : 0;
    int64_t look_at = end;
    return [this, skip, look_at](std::span<const std::byte> bytes) mutable {
      const auto known = static_cast<size_t>(std::min<int64_t>(skip, static_cast<int64_t>(bytes.size())));
      skip -= static_cast<int64_t>(known);
      append(bytes.subspan(known));
      if (file_.ready(0) < look_at) return;
      if (is_whole()) throw Enough{};
      look_at = file_.ready(0) * kGrowth;
    };
  }

  void fetch_range(int64_t first, int64_t end) {
    HttpRequest request{.url = resolve_url(access_, info_.repo, info_.commit, remote_.path)};
    request.first = first;
    request.end = end;
    for (int hops = 0; hops < kMaxRedirects; ++hops) {
      // A token is for the hub alone, wherever it sends us.
      const bool at_hub = origin_of(request.url) == origin_of(access_.endpoint);
      request.token = at_hub ? access_.token : "";
      HttpResponse response;
      try {
        response = connection_.perform(request, [&](const HttpResponse& head) { return sink_for(head, first, end); });
      } catch (const Enough&) {
        return;
      }
      if (response.status == 200 || response.status == 206) return;
      if (!response.is_redirect() || response.header("location").empty()) {
        // Addresses at a storage expire; the hub gives a new one.
        if (!at_hub && response.status < 500 && response.status != 429) {
          throw TransientError(str_cat(name(), ": the storage refused with status ", response.status));
        }
        throw_refused(response, access_, info_.repo, in_quotes(remote_.path));
      }
      request.url = follow_redirect(request.url, response.header("location"));
    }
    throw TransientError(str_cat(name(), ": redirected in a circle"));
  }

  HttpConnection& connection_;
  const HubAccess& access_;
  const RepoInfo& info_;
  const RemoteFile& remote_;
  PartFile& file_;
  bool ranges_ = true;
};

}  // namespace

bool fetch_header(HttpConnection& connection, const HubAccess& access, const RepoInfo& info, const RemoteFile& remote,
                  const RetryPolicy& retry, PartFile& file) {
  return HeaderFetcher(connection, access, info, remote, file).fetch(retry);
}

}  // namespace emelex
