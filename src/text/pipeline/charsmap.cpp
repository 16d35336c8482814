#include "text/pipeline/charsmap.h"

#include <cstring>

#include "base/byte_reader.h"
#include "text/pipeline/growth.h"

namespace emelex {
namespace {

uint32_t label_of(uint32_t unit) { return unit & 0x800000FFU; }
bool has_leaf(uint32_t unit) { return (unit & 0x100U) != 0; }
uint32_t offset_of(uint32_t unit) { return (unit >> 10U) << ((unit & 0x200U) >> 6U); }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFFU; }

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& source) {
  ByteReader reader(std::as_bytes(std::span(blob.data(), blob.size())), "tokenizer", source);
  const auto size = reader.read<uint32_t>("the size of the charsmap's trie");
  if (size == 0 || size % 4 != 0) reader.fail("a charsmap's trie of whole units", std::to_string(size) + " bytes");
  const std::string_view trie = reader.text(size, "the charsmap's trie");
  units_.resize(size / 4);
  std::memcpy(units_.data(), trie.data(), trie.size());
  replacements_ = reader.text(reader.remaining(), "the charsmap's replacements");
  replacements_.push_back('\0');
  for (size_t begin = 0; begin < replacements_.size();) {
    const size_t end = replacements_.find('\0', begin);
    if (end - begin > kLongestInserted) {
      reader.fail("replacements of at most " + std::to_string(kLongestInserted) + " bytes in a charsmap",
                  std::to_string(end - begin));
    }
    begin = end + 1;
  }
}

std::string_view Charsmap::replacement_at(size_t place) const {
  if (place >= replacements_.size()) return {};
  return replacements_.c_str() + place;
}

template <class Visit>
void Charsmap::find(std::string_view text, const Visit& visit) const {
  uint32_t node = offset_of(units_[0]);
  for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) return;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size() || !visit(i + 1, value_of(units_[node]))) return;
  }
}

std::optional<Charsmap::Match> Charsmap::longest(std::string_view text) const {
  std::optional<Match> match;
  find(text, [&](size_t length, uint32_t value) {
    match = {length, replacement_at(value)};
    return true;
  });
  return match;
}

std::optional<Charsmap::Match> Charsmap::shortest(std::string_view text) const {
  std::optional<Match> match;
  find(text, [&](size_t length, uint32_t value) {
    match = {length, replacement_at(value)};
    return false;
  });
  return match;
}

}  // namespace emelex
