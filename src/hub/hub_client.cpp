#include "hub/hub_client.h"

#include <algorithm>
#include <cctype>

#include "base/small_file.h"
#include "base/strings.h"
#include "hub/environment.h"
#include "hub/hub_answers.h"
#include "hub/names.h"
#include "hub/url.h"

namespace emelex {
namespace {

constexpr int kMaxRedirects = 8;
constexpr size_t kMostMessageBytes = 300;  // of a server's own words

// White space around a token is no part of it: files end in a line's end, and so do variables that were read from one.
std::string stripped(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

// The token of a file; "" where there is none.
std::string token_of_file(const std::filesystem::path& file) {
  constexpr size_t kMostBytes = size_t{64} << 10;
  if (!file.is_absolute())
    return "";  // no place is named: one that lies where the program is started is nobody's choice
  try {
    const std::string text = read_small_file(file, {.most_bytes = kMostBytes});
    return stripped(stripped(text).substr(0, stripped(text).find('\n')));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return "";
    throw;
  }
}

// The answer to a request to the hub itself; redirects that stay there are followed.
HttpResponse ask(HttpConnection& connection, const HubAccess& access, HttpRequest request, std::string* body) {
  for (int hops = 0; hops < kMaxRedirects; ++hops) {
    request.token = origin_of(request.url) == origin_of(access.endpoint) ? access.token : "";
    if (body != nullptr) body->clear();
    const HttpResponse response = connection.perform(request, [&](const HttpResponse& head) -> BodySink {
      if (body == nullptr || head.status != 200) return {};
      return [body](std::span<const std::byte> bytes) {
        if (body->size() + bytes.size() > kMaxInfoBytes) {
          throw Error(ErrorCode::network, "[hub] expected what a repository holds, got more than 32 MB");
        }
        body->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      };
    });
    if (!response.is_redirect() || response.header("location").empty()) return response;
    const std::string next = follow_redirect(request.url, response.header("location"));
    // A large file's own address is told by the redirect, and so are its size and hash.
    if (request.head && origin_of(next) != origin_of(request.url)) return response;
    request.url = next;
  }
  throw TransientError(str_cat("[hub] ", in_quotes(public_url(request.url)), ": redirected in a circle"));
}

}  // namespace

HubAccess hub_access_from_environment() {
  HubAccess access;
  access.endpoint = environment("HF_ENDPOINT");
  if (access.endpoint.empty()) access.endpoint = "https://huggingface.co";
  while (access.endpoint.ends_with('/')) access.endpoint.pop_back();
  access.token = stripped(environment("HF_TOKEN"));
  if (access.token.empty()) access.token = stripped(environment("HUGGING_FACE_HUB_TOKEN"));  // its older name
  if (access.token.empty()) {
    const std::filesystem::path named = path_from_environment("HF_TOKEN_PATH");
    access.token = token_of_file(named.empty() ? hugging_face_home() / "token" : named);
  }
  const bool printable =
      std::all_of(access.token.begin(), access.token.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!printable)
    throw Error(ErrorCode::invalid_argument, "[hub] expected letters and digits for a token; check HF_TOKEN");
  return access;
}

std::string resolve_url(const HubAccess& access, const std::string& repo, const std::string& commit,
                        const std::string& path) {
  return str_cat(access.endpoint, "/", encode_path(repo), "/resolve/", encode_path(commit), "/", encode_path(path));
}

void check_repo_name(const std::string& repo) {
  const size_t slash = repo.find('/');
  const auto good_part = [](std::string_view part) {
    const bool characters = std::all_of(part.begin(), part.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    });
    return !part.empty() && part.size() <= 96 && characters && part.front() != '.' && part.front() != '-' &&
           part.find("..") == std::string_view::npos;
  };
  const std::string_view text = repo;
  if (slash == std::string::npos || !good_part(text.substr(0, slash)) || !good_part(text.substr(slash + 1))) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[hub] expected a repository such as 'org/name' or 'org/name:Q4_K_M', got ", in_quotes(repo)));
  }
}

RepoInfo fetch_repo_info(HttpConnection& connection, const HubAccess& access, const std::string& repo,
                         const std::string& revision) {
  std::string encoded = encode_path(revision);
  for (size_t at; (at = encoded.find('/')) != std::string::npos;) encoded.replace(at, 1, "%2F");
  std::string body;
  const HttpResponse response =
      ask(connection, access,
          {.url = str_cat(access.endpoint, "/api/models/", encode_path(repo), "/revision/", encoded, "?blobs=true")},
          &body);
  if (response.status != 200) throw_refused(response, access, repo, str_cat("revision ", in_quotes(revision)));

  return read_repo_info(body, repo);
}

void complete_remote_file(HttpConnection& connection, const HubAccess& access, const RepoInfo& info, RemoteFile& file) {
  const HttpResponse response =
      ask(connection, access, {.url = resolve_url(access, info.repo, info.commit, file.path), .head = true}, nullptr);
  if (response.status >= 400) throw_refused(response, access, info.repo, in_quotes(file.path));
  read_file_headers(response, file);
  if (file.size < 0 || file.hash.empty()) {
    throw Error(ErrorCode::network, str_cat("[hub] expected size and hash of ", in_quotes(file.path),
                                            ", got neither from ", in_quotes(public_url(access.endpoint))));
  }
}

void throw_refused(const HttpResponse& response, const HubAccess& access, const std::string& repo,
                   const std::string& what) {
  const std::string code = response.header("x-error-code");
  const std::string page = str_cat(public_url(access.endpoint), "/", repo);
  if (response.status == 429) throw TransientError("[hub] too many requests for the hub", limit_seconds(response));
  if (response.status >= 500 || response.status == 408) {
    throw TransientError(str_cat("[hub] ", repo, ": the server answered with status ", response.status));
  }
  if (code == "GatedRepo") {
    throw Error(
        ErrorCode::network,
        str_cat("[hub] ", in_quotes(repo), " is gated: its publisher wants you to agree first; do so at ", page,
                access.token.empty() ? ", then set HF_TOKEN to a token of yours" : ", with the account of your token"));
  }
  if (code == "RevisionNotFound") {
    throw Error(ErrorCode::not_found, str_cat("[hub] ", in_quotes(repo), " has no ", what));
  }
  if (code == "EntryNotFound") {
    throw Error(ErrorCode::not_found, str_cat("[hub] ", in_quotes(repo), " has no file ", what));
  }
  if (response.status == 401 && code.empty() && !access.token.empty()) {
    throw Error(ErrorCode::network, "[hub] the hub does not know this token; check HF_TOKEN or the token's file");
  }
  if (code == "RepoNotFound" || response.status == 401 || response.status == 404) {
    throw Error(ErrorCode::not_found,
                str_cat("[hub] there is no repository ", in_quotes(repo), " at ", public_url(access.endpoint),
                        access.token.empty() ? ", or it is private: check the name, or set HF_TOKEN"
                                             : ", or your token may not see it: check the name and HF_TOKEN"));
  }
  const std::string message = response.header("x-error-message").substr(0, kMostMessageBytes);
  throw Error(ErrorCode::network, str_cat("[hub] ", repo, ": the server refused with status ", response.status,
                                          message.empty() ? "" : ": " + in_quotes(message)));
}

}  // namespace emelex
