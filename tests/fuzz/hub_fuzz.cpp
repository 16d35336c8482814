#include "fuzz/hub_fuzz.h"

#include <string>
#include <string_view>

#include "emelex/error.h"
#include "fuzz/expect.h"
#include "hub/hub_answers.h"
#include "hub/manifest.h"
#include "hub/names.h"
#include "hub/select_files.h"
#include "hub/url.h"

namespace emelex {
namespace {

using fuzz::expect;

constexpr int64_t kFourTerabytes = int64_t{1} << 42;
const std::filesystem::path kFolder = "/models/tiny+q4_0";

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Runs `fn`, whose Error is one short line. Returns whether there was none.
template <class Fn>
bool may_throw_error(const Fn& fn) {
  try {
    fn();
    return true;
  } catch (const Error& error) {
    const std::string_view message = error.what();
    expect(error.code() != ErrorCode::internal, "nobody blames emelex");
    expect(message.size() < 70'000, "a message ends");  // it may list what a repository has
    for (const unsigned char c : message) expect(c >= 0x20 && c != 0x7F, "a message is one line");
    return false;
  }
}

bool is_hash(const std::string& text) {
  const bool hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return text.empty() || (hex && (text.size() == 40 || text.size() == 64));
}

void check_file(const RemoteFile& file) {
  expect(file.size >= -1 && file.size <= kFourTerabytes, "sizes can be added up");
  expect(is_hash(file.hash), "a hash is one");
}

// Whether a path stays in its folder on every system.
void check_path(const std::string& text) {
  const std::filesystem::path path = text;
  expect(path.is_relative() && !text.empty(), "no path leads elsewhere");
  for (const auto& part : path) expect(!part.empty() && part.string().front() != '.', "none climbs or hides");
  expect(text.find_first_of("\\:\n\r\x1b\x7f") == std::string::npos, "none acts on a terminal or on Windows");
  expect(to_lower(text) != kManifestName, "none is our manifest");
}

void check_selection(const RepoInfo& info, const std::string& wanted, const std::string& include) {
  may_throw_error([&] {
    const Selection selection = select_files(info, wanted, include);
    expect(!selection.files.empty(), "something is chosen");
    for (const RemoteFile& file : selection.files) check_path(file.path);
  });
}

}  // namespace

bool fuzz_hub_info(std::span<const std::byte> bytes) {
  return may_throw_error([&] {
    const RepoInfo info = read_repo_info(text_of(bytes), "org/name");
    expect(info.commit.size() == 40 && is_hash(info.commit), "a commit is one");
    for (const RemoteFile& file : info.files) check_file(file);
    check_selection(info, "", "");
    check_selection(info, "Q4_K_M", "");
    check_selection(info, "", "*");
  });
}

bool fuzz_hub_headers(std::span<const std::byte> bytes) {
  HttpResponse response;
  const std::string text = text_of(bytes);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    response.add_line(std::string_view(text).substr(begin, end - begin));
    begin = end;
  }
  RemoteFile file;
  read_file_headers(response, file);
  check_file(file);
  const double seconds = limit_seconds(response);
  expect(seconds >= 0 && seconds < 1e19, "a wait is a number");
  may_throw_error([&] {
    const std::string next = follow_redirect("https://hub.example/org/name", response.header("location"));
    expect(origin_of(next).starts_with("https://"), "what was private stays so");
  });
  return file.size >= 0 && !file.hash.empty();
}

bool fuzz_manifest(std::span<const std::byte> bytes) {
  return may_throw_error([&] {
    const InstalledModel model = read_manifest(text_of(bytes), kFolder);
    expect(!model.files.empty(), "a model has files");
    for (const ModelFile& file : model.files) {
      expect(file.size >= 0 && file.sha256.size() == 64, "sizes and hashes are some");
      for (const auto& part : file.path) expect(part != "..", "no path climbs");
    }
    const std::string written = write_manifest(model);
    expect(write_manifest(read_manifest(written, kFolder)) == written, "what is written is read again");
  });
}

}  // namespace emelex
