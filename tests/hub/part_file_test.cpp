#include "hub/part_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string>

#include "base/expect_error.h"
#include "base/temporary_folder.h"

using namespace emelex;
namespace fs = std::filesystem;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string content(const fs::path& file) {
  std::stringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

PartFile open_parts(const TemporaryFolder& folder, const std::string& key = "key", int64_t size = 25) {
  return PartFile(folder.path(), "x", key, size, 10);
}

}  // namespace

TEST_CASE("parts may come in any order") {
  const TemporaryFolder folder;
  PartFile file = open_parts(folder);
  REQUIRE(file.n_parts() == 3);
  CHECK((file.begin(2) == 20 && file.end(2) == 25));
  file.write(2, bytes_of("uvwxy"));
  file.write(0, bytes_of("abcde"));
  CHECK((file.ready(0) == 5 && file.received() == 10 && file.complete(2) && !file.complete(0)));
  file.write(0, bytes_of("fghij"));
  file.write(1, bytes_of("klmnopqrst"));
  CHECK(file.ready(0) == 25);
  file.move_to(folder.path() / "whole");
  CHECK(content(folder.path() / "whole") == "abcdefghijklmnopqrstuvwxy");
  CHECK_FALSE(fs::exists(folder.path() / "x.part"));
  CHECK_FALSE(fs::exists(folder.path() / "x.state"));
}

TEST_CASE("another run goes on where parts were put down") {
  const TemporaryFolder folder;
  {
    PartFile file = open_parts(folder);
    file.write(1, bytes_of("klmnopqrst"));
    file.write(0, bytes_of("abc"));
    file.save(0);
    file.write(2, bytes_of("uv"));  // not put down
  }
  PartFile again(folder.path(), "x", "key", 25, 4);  // the size of its parts stays
  CHECK(again.n_parts() == 3);
  CHECK((again.complete(1) && again.position(0) == 3 && again.position(2) == 20));
}

TEST_CASE("a file of another key or size begins anew") {
  const TemporaryFolder folder;
  open_parts(folder).write(1, bytes_of("klmnopqrst"));
  CHECK(open_parts(folder).received() == 10);
  CHECK(open_parts(folder, "other").received() == 0);
  open_parts(folder).write(1, bytes_of("klmnopqrst"));
  CHECK(open_parts(folder, "key", 24).received() == 0);
}

TEST_CASE("a state cut at any byte never claims more than was there") {
  const TemporaryFolder folder;
  {
    PartFile file(folder.path(), "x", "key", 250, 10);
    for (size_t i = 0; i < 25; i += 2) file.write(i, bytes_of("0123456789"));
  }
  const std::string state = content(folder.path() / "x.state");
  const std::string part = content(folder.path() / "x.part");
  for (size_t cut = 0; cut <= state.size(); ++cut) {
    folder.file("x.state", state.substr(0, cut));
    folder.file("x.part", part);
    {
      PartFile file(folder.path(), "x", "key", 250, 10);
      for (size_t i = 0; i < 25; ++i) CHECK((i % 2 == 0 || file.position(i) == file.begin(i)));
      file.write(1, bytes_of("abcdefghij"));  // a line after one that was cut
    }
    const PartFile again(folder.path(), "x", "key", 250, 10);
    CHECK(again.complete(1));
    for (size_t i = 3; i < 25; i += 2) CHECK(again.position(i) == again.begin(i));
  }
}

TEST_CASE("lines that make no sense are passed over") {
  const TemporaryFolder folder;
  open_parts(folder).write(1, bytes_of("klmnopqrst"));
  std::ofstream(folder.path() / "x.state", std::ios::app)
      << "\n0 11.\n\n0 -1.\n7 3.\n99999999999999999999 1.\nx\n0 5\n2 5.5.\n";
  const PartFile file = open_parts(folder);
  CHECK(file.received() == 10);
}

TEST_CASE("an empty file is whole at once") {
  const TemporaryFolder folder;
  PartFile file = open_parts(folder, "key", 0);
  CHECK((file.n_parts() == 0 && file.ready(0) == 0));
  file.move_to(folder.path() / "empty");
  CHECK(fs::file_size(folder.path() / "empty") == 0);
}

TEST_CASE("a file that was forgotten is fetched from its beginning") {
  const TemporaryFolder folder;
  PartFile file = open_parts(folder);
  file.write(0, bytes_of("abcdefghij"));
  file.restart();
  CHECK(file.received() == 0);
  CHECK(open_parts(folder).received() == 0);
}

TEST_CASE("links where unfinished files should be are not followed, but make way") {
  const TemporaryFolder folder;
  const fs::path victim = folder.file("victim", std::string(25, 'p'));
  for (const char* name : {"x.part", "x.state"}) {
    for (const bool hard : {false, true}) {
      CAPTURE(name);
      CAPTURE(hard);
      fs::remove(folder.path() / "x.part");
      fs::remove(folder.path() / "x.state");
      if (hard) {
        fs::create_hard_link(victim, folder.path() / name);
      } else {
        fs::create_symlink(victim, folder.path() / name);
      }
      PartFile file = open_parts(folder);
      file.write(0, bytes_of("abcdefghij"));
      file.save(0);
      CHECK(content(victim) == std::string(25, 'p'));
    }
  }
}

TEST_CASE("a state that claims parts beyond any file begins anew") {
  for (const char* part_bytes : {"9223372036854775807", "9223372036854775800", "1099511627777", "0", "-5"}) {
    CAPTURE(part_bytes);
    const TemporaryFolder folder;
    { open_parts(folder).write(0, bytes_of("abcdefghij")); }
    std::ofstream(folder.path() / "x.state") << "emelex 1 key 25 " << part_bytes << " .\n0 5.\n";
    const PartFile file = open_parts(folder);
    CHECK(file.received() == 0);
    CHECK(file.n_parts() == 3);
  }
}

TEST_CASE("a pipe in the place of an unfinished file holds nobody up") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder.path() / "x.state").c_str(), 0600) == 0);
  CHECK(open_parts(folder).received() == 0);
}
