#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "weights/metadata.h"

namespace emelex {

// Adds an architecture's keys to its metadata, numbers as GGUF files have them: in 32 bits where they fit, sizes
// unsigned.
class HfKeys {
 public:
  HfKeys(Metadata& metadata, std::string_view architecture) : metadata_(&metadata), architecture_(architecture) {}

  void add(std::string_view key, int64_t value) {
    metadata_->add(name(key), static_cast<uint64_t>(value), value <= UINT32_MAX ? 4 : 8);
  }
  void add(std::string_view key, double value) { metadata_->add(name(key), value, 4); }
  void add(std::string_view key, bool value) { metadata_->add(name(key), value); }
  void add(std::string_view key, std::string value) { metadata_->add(name(key), std::move(value)); }
  void add(std::string_view key, std::vector<bool> value) { metadata_->add(name(key), std::move(value)); }

 private:
  std::string name(std::string_view key) const { return str_cat(architecture_, ".", key); }

  Metadata* metadata_;
  std::string_view architecture_;
};

}  // namespace emelex
