#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "text/pipeline/pipeline.h"

namespace emelex {

// Begins and ends of the stretches of a text in which control tokens count, in order.
using Stretches = std::vector<std::pair<size_t, size_t>>;

// The words of one text that became tokens already, and where in the result these are. It forgets: a word takes the
// place of any other with the same hash.
class WordCache {
 public:
  struct Entry {
    const char* word = nullptr;
    uint32_t size = 0;
    uint32_t first = 0;  // index of the first token in the result
    uint32_t count = 0;
  };

  explicit WordCache(size_t text_size);

  bool enabled() const { return !entries_.empty(); }
  Entry& entry_of(std::string_view word);

 private:
  std::vector<Entry> entries_;
  uint64_t seed_;
};

// One call of encode.
class PipelineRun {
 public:
  // Throws Error(invalid_argument) when the text is too long. What is passed must outlive this.
  PipelineRun(const Pipeline& parts, std::string_view text, const Stretches& stretches);

  std::vector<TokenId> encode();

  // Work that encode() did: the model's steps and the words' bytes.
  uint64_t steps() const { return scratch_.steps; }

 private:
  // A stretch between added tokens.
  struct Gap {
    std::string_view text;
    size_t begin;  // in the text
    Before before;
  };

  void encode_gap(const Gap& gap);
  Stretches allowed_in(const Gap& gap, std::string_view changed) const;
  void encode_piece(std::string_view text, bool at_start);
  void encode_valid(std::string_view text, bool at_start);
  void encode_words(const Words& words);
  void encode_word(std::string_view word);

  const Pipeline& parts_;
  std::string_view text_;
  const Stretches& stretches_;
  WordCache cache_;
  std::vector<TokenId> ids_;
  Words words_;
  Arena arena_;  // texts that the cache points into
  ModelScratch scratch_;
};

}  // namespace emelex
