#include "hub/hub_answers.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "hub/names.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

constexpr JsonLimits kInfoLimits{.bytes = kMaxInfoBytes, .depth = 64, .values = size_t{1} << 20};

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

int64_t whole_number(const std::string& text) {
  int64_t value = -1;
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end && value >= 0 ? value : -1;
}

// More than any file has, and little enough that the sizes of all files of a repository can be added up.
constexpr int64_t kMaxFileBytes = int64_t{1} << 42;

int64_t possible_size(int64_t size) { return size >= 0 && size <= kMaxFileBytes ? size : -1; }

int64_t size_member(const Json& object) {
  const auto found = object.find("size");
  return found != object.end() && found->is_number_integer() ? possible_size(found->get<int64_t>()) : -1;
}

RemoteFile read_sibling(const Json& entry) {
  RemoteFile file;
  file.path = entry.at("rfilename").get<std::string>();
  file.size = size_member(entry);
  if (entry.contains("blobId") && entry["blobId"].is_string()) file.hash = entry["blobId"].get<std::string>();
  if (entry.contains("lfs") && entry["lfs"].is_object()) {
    file.hash = entry["lfs"].at("sha256").get<std::string>();
    file.size = size_member(entry["lfs"]);
  }
  const bool known_hash = (file.hash.size() == 64 || file.hash.size() == 40) && is_hex(file.hash);
  if (!known_hash) file.hash.clear();
  return file;
}

}  // namespace

RepoInfo read_repo_info(const std::string& body, const std::string& repo) {
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

void read_file_headers(const HttpResponse& response, RemoteFile& file) {
  const bool linked = !response.header("x-linked-size").empty();
  const int64_t size = possible_size(whole_number(response.header(linked ? "x-linked-size" : "content-length")));
  if (size >= 0) file.size = size;
  const std::string linked_etag = response.header("x-linked-etag");
  const std::string etag = plain_etag(linked_etag.empty() ? response.header("etag") : linked_etag);
  if ((etag.size() == 64 || etag.size() == 40) && is_hex(etag)) file.hash = etag;
}

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

std::string plain_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return etag;
}

}  // namespace emelex
