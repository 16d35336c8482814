#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weights/weights.h"

namespace emelex {

struct FileDescription {
  std::filesystem::path path;
  int64_t bytes = 0;
};

// Tensors of one type among those that are told of together.
struct TypeShare {
  std::string type;  // "Q4_K"
  int64_t tensors = 0;
  int64_t values = 0;
  int64_t bytes = 0;
};

// The tensors of one kind: the same matrix of every layer.
struct KindDescription {
  std::string kind;              // "attn_q" for blk.0.attn_q.weight and so on
  std::vector<TypeShare> types;  // most bytes first
};

// Sizes of a layer. Empty: the file doesn't say; one: that of all layers; more: of each layer, in order.
using LayerSizes = std::vector<int64_t>;

struct RopeDescription {
  std::optional<int64_t> dimensions;  // of a head, that are rotated
  std::optional<double> base;
  std::string scaling;  // "linear", "yarn", …; empty: none
  std::optional<double> scaling_factor;
  std::optional<int64_t> original_context;  // that the model had before its context was stretched
  bool has_divisors = false;                // one for each frequency, as a tensor
};

struct TokenDescription {
  int64_t id = 0;
  std::string name;  // as the vocabulary has it; empty when the id is not in it
};

struct TokenizerDescription {
  std::string model;    // "gpt2"; empty: the files have no tokenizer that emelex can read
  std::string problem;  // why not, in a folder
  std::string pre;
  std::optional<int64_t> vocab_size;
  std::optional<TokenDescription> bos;
  std::optional<TokenDescription> eos;
  std::optional<bool> adds_bos;       // what the file says; none: left to the kind of tokenizer
  std::vector<std::string> warnings;  // what was left out of the files or looks wrong, a line each
};

struct ChatTemplateDescription {
  enum class State { none, readable, unreadable };
  State state = State::none;
  std::string reason;  // why it is unreadable
  std::string text;
};

// What a model's files say about it. Text is as the files have it, with whatever bytes: not fit for a terminal.
// Numbers that are missing, or of another type than they should be, are left out.
struct ModelDescription {
  std::shared_ptr<const Weights> weights;
  std::shared_ptr<const Metadata> metadata;  // all of it, under GGUF's keys

  std::vector<FileDescription> files;  // those with tensors
  int64_t file_bytes = 0;              // of all of them
  std::string format;                  // "GGUF" or "SafeTensors"
  std::string name;
  std::string architecture;  // "llama"; empty: the files don't say
  std::string text_part_of;  // "gemma3" of a model that reads pictures, too, which emelex does not; empty: of none
  std::string not_run;       // why emelex can't run it; empty where nothing here speaks against it

  int64_t parameters = 0;
  std::optional<int64_t> active_parameters;  // that compute a token, where only some of a layer's experts do
  int64_t weight_bytes = 0;                  // of all tensors
  int64_t active_bytes = 0;                  // of those that are read to compute one token
  std::vector<TypeShare> types;              // of all tensors, most bytes first
  std::vector<KindDescription> kinds;        // most bytes first
  int64_t unreadable_tensors = 0;            // of a type that emelex lacks, and so in none of these numbers

  std::optional<int64_t> layers;
  std::optional<int64_t> dim;
  std::optional<int64_t> vocab_size;
  std::optional<int64_t> context_length;
  LayerSizes heads;
  LayerSizes kv_heads;
  LayerSizes ffn_dim;
  std::optional<int64_t> head_dim;  // of keys
  std::optional<int64_t> value_dim;
  std::optional<int64_t> experts;
  std::optional<int64_t> experts_used;
  RopeDescription rope;

  TokenizerDescription tokenizer;
  ChatTemplateDescription chat_template;

  // Estimates for a cache of 16-bit numbers, all layers attending to all tokens.
  std::optional<int64_t> kv_bytes_per_token;
  std::optional<int64_t> default_context;  // tokens that a session can hold unless asked otherwise
  std::optional<int64_t> memory_bytes;     // weights and a cache of the default context
};

// 4.5 for Q4_0; 0 without values.
double bits_per_weight(int64_t bytes, int64_t values);

// Opens a model and reads what its files say; nothing is loaded or run. Throws what open_weights does, and nothing on
// account of a model that emelex can't run.
ModelDescription describe_model(const std::filesystem::path& path);

}  // namespace emelex
