#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "quant/tensor_type.h"

// The numbers that GGUF files hold, for reader and writer.
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
namespace emelex {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr uint32_t kGgufDefaultAlignment = 32;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";
inline constexpr const char* kGgufSplitCountKey = "split.count";

// Dimensions that ggml has room for.
inline constexpr uint32_t kGgufMostDimensions = 4;

enum class GgufType : uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

// Bytes of a number of that GgufType; 0 for booleans, strings, arrays and unknown types.
int gguf_number_bytes(uint32_t type);

// Our type of a tensor type's number in the file, or nothing when emelex does not have it.
std::optional<TensorType> tensor_type_of_gguf(uint32_t number);

// The number of one of our types.
uint32_t gguf_number_of(TensorType type);

// For messages: "Q4_K (type 12)", or "type 77" when the number is not known.
std::string gguf_tensor_type_text(uint32_t number);

// For messages: "F32, F16, …", the types that emelex has.
std::string gguf_tensor_types_known();

}  // namespace emelex
