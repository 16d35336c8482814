#include "hub/hub_client.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "hub/environment.h"
#include "hub/names.h"
#include "hub/url.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

constexpr int kMaxRedirects = 8;
// A repository of thousands of files takes some hundred bytes for each.
constexpr JsonLimits kInfoLimits{.bytes = size_t{32} << 20, .depth = 64, .values = size_t{1} << 20};

std::string first_line(const std::string& file) {
  std::ifstream input(file);
  std::string line;
  std::getline(input, line);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
  return line;
}

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

// The answer to a request to the hub itself; redirects that stay there are followed.
HttpResponse ask(HttpConnection& connection, const HubAccess& access, HttpRequest request, std::string* body) {
  for (int hops = 0; hops < kMaxRedirects; ++hops) {
    request.token = origin_of(request.url) == origin_of(access.endpoint) ? access.token : "";
    if (body != nullptr) body->clear();
    const HttpResponse response = connection.perform(request, [&](const HttpResponse& head) -> BodySink {
      if (body == nullptr || head.status != 200) return {};
      return [body](std::span<const std::byte> bytes) {
        if (body->size() + bytes.size() > kInfoLimits.bytes) {
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
  throw TransientError(str_cat("[hub] ", in_quotes(request.url), ": redirected in a circle"));
}

int64_t whole_number(const std::string& text) {
  int64_t value = -1;
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end && value >= 0 ? value : -1;
}

// Seconds to wait after a 429, as either header says; a minute where neither does.
double limit_seconds(const HttpResponse& response) {
  const int64_t after = whole_number(response.header("retry-after"));
  if (after >= 0) return static_cast<double>(after);
  const std::string limit = response.header("ratelimit");  // "api";r=0;t=55
  const size_t at = limit.find("t=");
  if (at != std::string::npos) {
    const std::string digits = limit.substr(at + 2, limit.find_first_not_of("0123456789", at + 2) - at - 2);
    if (whole_number(digits) >= 0) return static_cast<double>(whole_number(digits));
  }
  return 60;
}

RemoteFile read_sibling(const Json& entry) {
  RemoteFile file;
  file.path = entry.at("rfilename").get<std::string>();
  if (entry.contains("size") && entry["size"].is_number_integer()) file.size = entry["size"].get<int64_t>();
  if (entry.contains("blobId") && entry["blobId"].is_string()) file.hash = entry["blobId"].get<std::string>();
  if (entry.contains("lfs") && entry["lfs"].is_object()) {
    file.hash = entry["lfs"].at("sha256").get<std::string>();
    file.size = entry["lfs"].at("size").get<int64_t>();
  }
  const bool known_hash = (file.hash.size() == 64 || file.hash.size() == 40) && is_hex(file.hash);
  if (!known_hash) file.hash.clear();
  if (file.size < 0) file.size = -1;
  return file;
}

}  // namespace

HubAccess hub_access_from_environment() {
  HubAccess access;
  access.endpoint = environment("HF_ENDPOINT");
  if (access.endpoint.empty()) access.endpoint = "https://huggingface.co";
  while (access.endpoint.ends_with('/')) access.endpoint.pop_back();
  access.token = environment("HF_TOKEN");
  if (access.token.empty()) {
    const std::string named = environment("HF_TOKEN_PATH");
    access.token = first_line(named.empty() ? (hugging_face_home() / "token").string() : named);
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

std::string plain_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return etag;
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

  const std::string source = str_cat("the hub's answer on ", repo);
  RepoInfo info{.repo = repo};
  try {
    const Json json = JsonBuilder(kInfoLimits, "hub", source).parse(body);
    info.commit = json.at("sha").get<std::string>();
    for (const Json& entry : json.at("siblings")) info.files.push_back(read_sibling(entry));
  } catch (const Json::exception&) {
    throw Error(ErrorCode::network, str_cat("[hub] expected 'sha' and 'siblings' in ", source,
                                            ", got something else; is HF_ENDPOINT right?"));
  } catch (const Error& error) {
    throw Error(ErrorCode::network, str_cat(error.what(), "; is HF_ENDPOINT right?"));
  }
  if (info.commit.size() != 40 || !is_hex(info.commit)) {
    throw Error(ErrorCode::network, str_cat("[hub] expected 40 hexadecimal digits for a commit, got ",
                                            in_quotes(std::string_view(info.commit).substr(0, 80))));
  }
  return info;
}

void complete_remote_file(HttpConnection& connection, const HubAccess& access, const RepoInfo& info, RemoteFile& file) {
  const HttpResponse response =
      ask(connection, access, {.url = resolve_url(access, info.repo, info.commit, file.path), .head = true}, nullptr);
  if (response.status >= 400) throw_refused(response, access, info.repo, in_quotes(file.path));
  const bool linked = !response.header("x-linked-size").empty();
  file.size = whole_number(response.header(linked ? "x-linked-size" : "content-length"));
  const std::string linked_etag = response.header("x-linked-etag");
  const std::string etag = plain_etag(linked_etag.empty() ? response.header("etag") : linked_etag);
  if ((etag.size() == 64 || etag.size() == 40) && is_hex(etag)) file.hash = etag;
  if (file.size < 0 || file.hash.empty()) {
    throw Error(ErrorCode::network, str_cat("[hub] expected size and hash of ", in_quotes(file.path),
                                            ", got neither from ", in_quotes(access.endpoint)));
  }
}

void throw_refused(const HttpResponse& response, const HubAccess& access, const std::string& repo,
                   const std::string& what) {
  const std::string code = response.header("x-error-code");
  const std::string page = str_cat(access.endpoint, "/", repo);
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
                str_cat("[hub] there is no repository ", in_quotes(repo), " at ", access.endpoint,
                        access.token.empty() ? ", or it is private: check the name, or set HF_TOKEN"
                                             : ", or your token may not see it: check the name and HF_TOKEN"));
  }
  const std::string message = response.header("x-error-message");
  throw Error(ErrorCode::network, str_cat("[hub] ", repo, ": the server refused with status ", response.status,
                                          message.empty() ? "" : ": " + in_quotes(message)));
}

}  // namespace emelex
