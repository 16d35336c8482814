// What the fuzzers of a hub's answers and of manifests start from, as ordinary tests.
#include "fuzz/seeds.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "fuzz/hub_fuzz.h"

namespace emelex {
namespace {

using Fuzz = bool (*)(std::span<const std::byte>);

// Runs every seed and what is left of it when it is cut; returns the names of those that are valid.
std::set<std::string> valid_ones(const Seeds& seeds, Fuzz fuzz) {
  std::set<std::string> valid;
  for (const auto& [name, bytes] : seeds) {
    CAPTURE(name);
    const auto all = std::as_bytes(std::span(bytes));
    if (fuzz(all)) valid.insert(name);
    for (size_t n = 0; n < all.size(); n += 5) (void)fuzz(all.first(n));
  }
  return valid;
}

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("a repository that is described in any way gives safe paths or an error") {
  CHECK(valid_ones(hub_info_seeds(), fuzz_hub_info) ==
        Names{"absolute", "climbs", "controls", "float", "folder", "hidden", "huge", "manifest", "negative", "no-hash",
              "one", "parts", "pickles", "same-names",
              "several"});  // what is wrong with paths is said when one is chosen
}

TEST_CASE("headers give a size and a hash, or none") {
  CHECK(valid_ones(hub_headers_seeds(), fuzz_hub_headers) == Names{"linked", "plain"});
}

TEST_CASE("a manifest is read as it was written, or is an error") {
  CHECK(valid_ones(manifest_seeds(), fuzz_manifest) == Names{"absolute", "good"});
}

}  // namespace emelex
