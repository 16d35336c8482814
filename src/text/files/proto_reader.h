#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/byte_reader.h"

namespace emelex {

// The fields of one message of a protocol buffer, in order (protobuf.dev/programming-guides/encoding). What goes wrong
// is an Error(corrupt_file) of the ByteReader.
class ProtoReader {
 public:
  ProtoReader(std::span<const std::byte> bytes, const std::string& source) : reader_(bytes, "tokenizer", source) {}

  struct Field {
    uint32_t number;
    uint32_t wire;          // 0: number, 1: 8 bytes, 2: text, 5: 4 bytes
    uint64_t value = 0;     // of a number, or the 4 or 8 bytes
    std::string_view text;  // of a text or a message
  };

  // The next field; nothing at the end.
  std::optional<Field> next() {
    if (reader_.remaining() == 0) return std::nullopt;
    const uint64_t tag = number();
    Field field{static_cast<uint32_t>(tag >> 3U), static_cast<uint32_t>(tag & 7U)};
    switch (field.wire) {
      case 0:
        field.value = number();
        break;
      case 1:
        field.value = reader_.read<uint64_t>("a field of 8 bytes");
        break;
      case 2:
        field.text = reader_.text(number(), "a field");
        break;
      case 5:
        field.value = reader_.read<uint32_t>("a field of 4 bytes");
        break;
      default:
        reader_.fail("a field of a known kind", "kind " + std::to_string(field.wire));
    }
    return field;
  }

 private:
  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = reader_.read<uint8_t>("a number");
      value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    reader_.fail("a number of at most ten bytes", "more");
  }

  ByteReader reader_;
};

}  // namespace emelex
