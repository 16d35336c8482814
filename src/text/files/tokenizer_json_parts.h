#pragma once

#include <string>
#include <vector>

#include "text/pipeline/decoder.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/pre_tokenizer.h"
#include "weights/bounded_json.h"

namespace emelex {

// The parts of tokenizer.json that know nothing of the vocabulary. Each throws Error(unsupported), naming what emelex
// lacks, and Error(corrupt_file).
class JsonParts {
 public:
  explicit JsonParts(std::string source) : source_(std::move(source)) {}

  NormalizerPtr normalizer(const std::vector<const Json*>& steps) const;  // null for no steps

  // `bytes_last`: the last step is ByteLevel, and the model takes bytes as they are, so none become characters.
  PreTokenizerPtr pre_tokenizer(const std::vector<const Json*>& steps, bool bytes_last) const;

  Decoder decoder(const std::vector<const Json*>& steps) const;

  // A text that is put into others, which may not be long.
  std::string inserted(const Json& step, std::string_view key) const;

  [[noreturn]] void fail_unsupported(std::string_view expected, std::string_view got) const;
  [[noreturn]] void fail_corrupt(std::string_view expected, std::string_view got) const;

 private:
  std::string mark_of(const Json& step) const;
  void check_steps(const std::vector<const Json*>& steps, std::string_view part) const;
  NormalizerPtr normalizer_step(const Json& step) const;
  void add_pre_tokenizer(const Json& step, bool is_last_bytes, std::vector<PreTokenizerPtr>& steps) const;
  PreTokenizerPtr split_step(const Json& step) const;
  PreTokenizerPtr metaspace_step(const Json& step) const;
  std::unique_ptr<const Regex> pattern_of(const Json& step) const;
  SplitBehavior behavior_of(const Json& step) const;
  PrependScheme scheme_of(const Json& step) const;
  NormalizerPtr precompiled_step(const Json& step) const;

  std::string source_;
};

}  // namespace emelex
