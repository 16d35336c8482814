#include "weights/safetensors/safetensors_writer.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace emelex {

void SafeTensorsWriter::declare(std::string name, std::string dtype, std::vector<int64_t> shape, uint64_t bytes) {
  names_.push_back(std::move(name));
  entries_.push_back({std::move(dtype), std::move(shape), data_bytes_, data_bytes_ + bytes});
  data_bytes_ += bytes;
}

std::vector<std::byte> SafeTensorsWriter::header() const {
  nlohmann::ordered_json json = {{"__metadata__", {{"format", "mlx"}}}};
  for (size_t i = 0; i < names_.size(); ++i) {
    const Entry& entry = entries_[i];
    json[names_[i]] = {{"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = json_text(json);
  text.append((8 - text.size() % 8) % 8, ' ');
  std::vector<std::byte> bytes;
  bytes.reserve(8 + text.size());
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>((uint64_t{text.size()} >> (8 * i)) & 0xFF));
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

}  // namespace emelex
