#include "text/pipeline/pipeline_run.h"

#include <algorithm>
#include <bit>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/unicode/utf8.h"
#include "text/vocabulary/hash.h"

namespace emelex {
namespace {

constexpr size_t kMostTextBytes = (size_t{1} << 31U) - 1;  // places in a text are 32 bits
constexpr size_t kLongestCachedWord = 256;                 // longer ones hardly come twice

// How much is normalized, at most, to know where in a changed text the stretches of the template lie. More is needed
// only for a text of very many messages without any control token between them; there none is found then.
constexpr size_t kMostBytesToAlign = size_t{1} << 26U;

// Gives the end of the stretch that a place lies in; asked for places in rising order.
class ControlEnd {
 public:
  explicit ControlEnd(const Stretches& stretches) : next_(stretches.begin()), end_(stretches.end()) {}

  size_t operator()(size_t position) {
    while (next_ != end_ && next_->second <= position) ++next_;
    return next_ == end_ || next_->first > position ? 0 : next_->second;
  }

 private:
  Stretches::const_iterator next_;
  Stretches::const_iterator end_;
};

// Valid UTF-8: each part of a character that is none becomes U+FFFD.
std::string repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    out += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) break;
    out += kReplacementCharacter;
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace

WordCache::WordCache(size_t text_size) : seed_(hash_seed()) {
  constexpr size_t kLeastText = 128;  // a shorter text repeats too little
  constexpr size_t kMostEntries = 1U << 14U;
  if (text_size >= kLeastText) entries_.resize(std::min(std::bit_ceil(text_size / 8), kMostEntries));
}

WordCache::Entry& WordCache::entry_of(std::string_view word) {
  return entries_[hash_bytes(word, seed_) & (entries_.size() - 1)];
}

PipelineRun::PipelineRun(const Pipeline& parts, std::string_view text, const Stretches& stretches)
    : parts_(parts), text_(text), stretches_(stretches), cache_(text.size()) {
  if (text.size() > kMostTextBytes) {
    throw Error(ErrorCode::invalid_argument,
                str_cat("[tokenizer] expected a text of at most ", kMostTextBytes, " bytes, got ", text.size()));
  }
  ids_.reserve(text.size() / 4 + 8);
}

std::vector<TokenId> PipelineRun::encode() {
  size_t position = 0;
  Before before = Before::nothing;
  const bool searches = parts_.added.has_user_defined() || (parts_.added.has_control() && !stretches_.empty());
  ControlEnd control_end(stretches_);
  while (searches && position < text_.size()) {
    const auto match = parts_.added.find(text_, position, control_end);
    if (match.id < 0) break;
    encode_gap({text_.substr(position, match.begin - position), position, before});
    ids_.push_back(match.id);
    before = match.control ? Before::control_token : Before::user_defined_token;
    position = match.end;
  }
  encode_gap({text_.substr(position), position, before});
  return std::move(ids_);
}

void PipelineRun::encode_gap(const Gap& gap) {
  if (gap.text.empty()) return;
  std::string_view text = gap.text;
  if (parts_.normalizer != nullptr) text = arena_.emplace_back(parts_.normalizer->apply(std::string(text), gap.before));
  if (!parts_.keeps_bytes && valid_utf8_prefix(text) < text.size()) text = arena_.emplace_back(repaired(text));
  if (parts_.added_normalized.empty()) return encode_piece(text, gap.begin == 0);

  const Stretches allowed = allowed_in(gap, text);
  ControlEnd control_end(allowed);
  size_t position = 0;
  while (position < text.size()) {
    const auto match = parts_.added_normalized.find(text, position, control_end);
    if (match.id < 0) break;
    encode_piece(text.substr(position, match.begin - position), gap.begin == 0 && position == 0);
    ids_.push_back(match.id);
    position = match.end;
  }
  encode_piece(text.substr(position), gap.begin == 0 && position == 0);
}

// The stretches of a gap, as places in what the normalizer made of it.
Stretches PipelineRun::allowed_in(const Gap& gap, std::string_view changed) const {
  Stretches allowed;
  if (!parts_.added_normalized.has_control()) return allowed;
  const size_t gap_end = gap.begin + gap.text.size();
  size_t work = 0;
  // Where in the changed text a place of the gap went; nothing where that can't be told.
  const auto place_of = [&](size_t place) -> std::optional<size_t> {
    if (place >= gap_end) return changed.size();
    if (place <= gap.begin) return 0;
    const std::string_view before = gap.text.substr(0, place - gap.begin);
    if (parts_.normalizer == nullptr) return before.size();
    work += before.size();
    if (work > kMostBytesToAlign) return std::nullopt;
    const std::string made = parts_.normalizer->apply(std::string(before), gap.before);
    if (!changed.starts_with(made)) return std::nullopt;
    return made.size();
  };
  for (const auto& [begin, end] : stretches_) {
    if (end <= gap.begin || begin >= gap_end) continue;
    const auto first = place_of(begin);
    const auto last = place_of(end);
    if (first && last && *first < *last) allowed.emplace_back(*first, *last);
  }
  return allowed;
}

void PipelineRun::encode_piece(std::string_view text, bool at_start) {
  if (!parts_.keeps_bytes) return encode_valid(text, at_start);
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    encode_valid(text.substr(0, valid), at_start);
    at_start = false;
    size_t end = valid;
    while (end < text.size()) {
      const Utf8Char character = utf8_at(text, end);
      if (character.kind == Utf8Char::Kind::valid) break;
      end += character.length;
    }
    if (end > valid) {
      Words words = {{text.substr(valid, end - valid)}, false};
      if (parts_.invalid_bytes != nullptr) parts_.invalid_bytes->split_all(words, arena_);
      encode_words(words);
    }
    text.remove_prefix(end);
  }
}

void PipelineRun::encode_valid(std::string_view text, bool at_start) {
  if (text.empty()) return;
  if (parts_.pre_tokenizer == nullptr) return encode_word(text);
  words_.views.clear();
  parts_.pre_tokenizer->split(text, at_start, words_.views, arena_);
  encode_words(words_);
}

void PipelineRun::encode_words(const Words& words) {
  for (const std::string_view word : words.views) encode_word(word);
}

void PipelineRun::encode_word(std::string_view word) {
  scratch_.steps += 1 + word.size();
  if (!cache_.enabled() || word.size() > kLongestCachedWord) return parts_.model->encode(word, ids_, scratch_);
  WordCache::Entry& entry = cache_.entry_of(word);
  if (entry.word != nullptr && std::string_view(entry.word, entry.size) == word) {
    const size_t end = ids_.size();
    ids_.resize(end + entry.count);
    std::copy_n(ids_.begin() + entry.first, entry.count, ids_.begin() + static_cast<std::ptrdiff_t>(end));
    return;
  }
  const size_t first = ids_.size();
  parts_.model->encode(word, ids_, scratch_);
  entry = {word.data(), static_cast<uint32_t>(word.size()), static_cast<uint32_t>(first),
           static_cast<uint32_t>(ids_.size() - first)};
}

}  // namespace emelex
