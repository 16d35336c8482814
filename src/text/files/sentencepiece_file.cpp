#include "text/files/sentencepiece_file.h"

#include <bit>
#include <cmath>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/files/gguf_tokenizer.h"
#include "text/files/proto_reader.h"

namespace emelex {
namespace {

constexpr size_t kMostPieces = size_t{1} << 24U;  // the largest vocabularies have 2^18

// Fields of ModelProto and its messages.
enum ModelField : uint32_t { kPieces = 1, kTrainer = 2, kNormalizer = 3 };
enum PieceField : uint32_t { kText = 1, kScore = 2, kType = 3 };
enum TrainerField : uint32_t {
  kModelType = 3,
  kSuffix = 24,
  kByteFallback = 35,
  kUnknownId = 40,
  kBosId = 41,
  kEosId = 42,
  kPadId = 43,
};
enum NormalizerField : uint32_t { kCharsmap = 2, kDummyPrefix = 3, kRemoveExtra = 4, kEscape = 5 };
enum ModelType : uint64_t { kUnigram = 1, kBpe = 2 };

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class File {
 public:
  explicit File(std::string source) : source_(std::move(source)) {}

  void read(std::span<const std::byte> bytes) {
    ProtoReader reader(bytes, source_);
    while (const auto field = reader.next()) {
      if (field->wire != 2) continue;
      if (field->number == kPieces) read_piece(field->text);
      if (field->number == kTrainer) read_trainer(field->text);
      if (field->number == kNormalizer) read_normalizer(field->text);
    }
    if (model_type_ != kUnigram && model_type_ != kBpe) {
      throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected a sentencepiece model of type 1 (unigram) or 2 "
                                                  "(BPE), got ",
                                                  model_type_, " in ", source_));
    }
  }

  void add_to(TokenizerSource& source) && {
    Metadata& metadata = source.own;
    source.file = source_;
    source.is_sentencepiece = true;
    source.space_is_suffix = suffix_;
    metadata.add("tokenizer.ggml.model", std::string(model_type_ == kBpe ? "llama" : "t5"));
    add_id(kUnknownId, "tokenizer.ggml.unknown_token_id", metadata);
    add_id(kBosId, "tokenizer.ggml.bos_token_id", metadata);
    add_id(kEosId, "tokenizer.ggml.eos_token_id", metadata);
    add_id(kPadId, "tokenizer.ggml.padding_token_id", metadata);
    metadata.add("tokenizer.ggml.tokens", std::move(texts_));
    metadata.add("tokenizer.ggml.scores", std::move(scores_), 4);
    metadata.add("tokenizer.ggml.token_type", std::move(types_), 4);
    metadata.add("tokenizer.ggml.add_space_prefix", dummy_prefix_);
    metadata.add("tokenizer.ggml.remove_extra_whitespaces", remove_extra_);
    if (charsmap_.empty()) return;
    std::vector<int64_t> bytes;
    bytes.reserve(charsmap_.size());
    for (const char byte : charsmap_) bytes.push_back(static_cast<unsigned char>(byte));
    metadata.add("tokenizer.ggml.precompiled_charsmap", std::move(bytes), 1);
  }

 private:
  void read_piece(std::string_view message) {
    std::string text;
    float score = 0;
    uint64_t type = 1;
    ProtoReader reader(bytes_of(message), source_);
    while (const auto field = reader.next()) {
      if (field->number == kText && field->wire == 2) text = field->text;
      if (field->number == kScore && field->wire == 5)
        score = std::bit_cast<float>(static_cast<uint32_t>(field->value));
      if (field->number == kType && field->wire == 0) type = field->value;
    }
    if (texts_.size() == kMostPieces || type < 1 || type > 6) {
      throw Error(ErrorCode::corrupt_file,
                  str_cat("[tokenizer] expected at most ", kMostPieces, " pieces of types 1 to 6, got type ", type,
                          " for piece ", texts_.size(), " in ", source_));
    }
    texts_.push_back(std::move(text));
    scores_.push_back(score);
    types_.push_back(static_cast<int64_t>(type));  // numbered as in GGUF
  }

  void read_trainer(std::string_view message) {
    ProtoReader reader(bytes_of(message), source_);
    while (const auto field = reader.next()) {
      if (field->wire != 0) continue;
      if (field->number == kModelType) model_type_ = field->value;
      if (field->number == kSuffix) suffix_ = field->value != 0;
      if (field->number >= kUnknownId && field->number <= kPadId) {
        ids_[field->number - kUnknownId] = static_cast<int32_t>(field->value);
      }
    }
  }

  void read_normalizer(std::string_view message) {
    ProtoReader reader(bytes_of(message), source_);
    while (const auto field = reader.next()) {
      if (field->number == kCharsmap && field->wire == 2) charsmap_ = field->text;
      if (field->wire != 0) continue;
      if (field->number == kDummyPrefix) dummy_prefix_ = field->value != 0;
      if (field->number == kRemoveExtra) remove_extra_ = field->value != 0;
      if (field->number == kEscape && field->value == 0) {
        throw Error(ErrorCode::unsupported,
                    str_cat("[tokenizer] expected escape_whitespaces to be true, got false in ", source_));
      }
    }
  }

  void add_id(TrainerField field, const char* key, Metadata& metadata) const {
    const int32_t id = ids_[field - kUnknownId];
    if (id < 0 || static_cast<size_t>(id) >= texts_.size() || metadata.contains(key)) return;
    metadata.add(key, static_cast<uint64_t>(id), 4);
  }

  std::string source_;
  std::vector<std::string> texts_;
  std::vector<double> scores_;
  std::vector<int64_t> types_;
  uint64_t model_type_ = kUnigram;
  bool suffix_ = false;
  bool dummy_prefix_ = true;
  bool remove_extra_ = true;
  std::string charsmap_;
  int32_t ids_[4] = {0, 1, 2, -1};  // unknown, beginning, end, padding
};

}  // namespace

bool is_sentencepiece(std::span<const std::byte> bytes) {
  constexpr std::byte kFirstField{0x0A};
  return !bytes.empty() && bytes.front() == kFirstField;
}

void add_sentencepiece(std::span<const std::byte> bytes, const std::string& file, TokenizerSource& source) {
  File model(file);
  model.read(bytes);
  std::move(model).add_to(source);
}

}  // namespace emelex
