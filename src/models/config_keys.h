#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/error.h"
#include "weights/weights.h"

namespace emelex {

// Generous bounds, so that products of sizes stay far from overflow.
constexpr int kMaxLayers = 1024;
constexpr int kMaxDim = 1 << 20;
constexpr int kMaxHeads = 4096;
constexpr int kMaxHeadDim = 4096;  // 512 is the largest there is
constexpr int kMaxExperts = 1 << 14;
constexpr int kMaxContext = 1 << 27;

// A model's metadata by keys without the architecture's name, "block_count" for "llama.block_count". Each key that is
// asked for is noted (Weights::note_key), so that those which nothing has read are known. What is wrong is thrown as
// Error(corrupt_file), naming the whole key and the file.
class ConfigKeys {
 public:
  explicit ConfigKeys(const Weights& weights)
      : weights_(&weights),
        metadata_(&weights.metadata()),
        architecture_(metadata_->require_string("general.architecture")) {}

  std::string name(std::string_view key) const;
  bool contains(std::string_view key) const { return metadata_->contains(noted(key)); }

  // A size, at least 1.
  int require_size(std::string_view key, int most) const;
  // The same, or `otherwise` where the file does not say.
  int size(std::string_view key, int otherwise, int most) const;
  // A size, or 0 for none, which is also what a missing key says.
  int size_or_none(std::string_view key, int most) const;
  // A size of each layer, where all have the same: a number, or a list with one for each of `n_layers`. Throws
  // Error(unsupported) where they differ.
  int require_layer_size(std::string_view key, int n_layers, int most) const;
  int layer_size(std::string_view key, int n_layers, int otherwise, int most) const;
  // A number that others are divided by or multiplied with; one that is not above 0 would make every logit NaN.
  double require_positive(std::string_view key) const;
  double positive(std::string_view key, double otherwise) const;
  // The same, or nothing for 0 and for a missing key.
  std::optional<double> positive_or_none(std::string_view key) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string string(std::string_view key, std::string_view otherwise) const;
  // Something of each layer: a list with one for each, or a number n, which means all but every n-th; 0 means all of
  // them. Where the key is missing it is all but every `otherwise`-th, and none for 0.
  std::vector<bool> layers(std::string_view key, int n_layers, int otherwise) const;

  [[noreturn]] void fail(ErrorCode code, std::string_view expected, std::string_view got) const;

 private:
  std::string noted(std::string_view key) const;
  double check_positive(std::string_view key, double value) const;

  const Weights* weights_;
  const Metadata* metadata_;
  std::string architecture_;
};

}  // namespace emelex
